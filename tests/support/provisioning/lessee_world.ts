/**
 * Lessees and providers around one relay in memory: real ones of both sides, over real messages. What
 * outlives a process outlives it here: purse, till, engine, relay and the files of both.
 */
import { join } from "node:path";
import { setImmediate } from "node:timers";
import {
  type Filter,
  MemorySeenIds,
  type NostrEvent,
  nostrPublicKey,
  type PrivateKind,
  type SeenIds,
} from "../../../src/nostr/mod.ts";
import {
  LeaseBook,
  type LeaseReceipts,
  Lessee,
  type LesseeEvent,
  Market,
  MessageLine,
} from "../../../provisioning/consumer/mod.ts";
import { LeaseJournal } from "../../../provisioning/leases/mod.ts";
import {
  Announcer,
  Correspondence,
  DEFAULT_SETTINGS,
  Provider,
  type ProviderSettings,
  type ReceiptDesk,
} from "../../../provisioning/provider/mod.ts";
import { ManualClock } from "../manual_clock.ts";
import { seededRandom } from "../seeded_random.ts";
import { BASIC, Killed, KillSwitch } from "./lease_world.ts";
import { MemoryBackend } from "./memory_backend.ts";
import { MemoryImages } from "./memory_images.ts";
import { MemoryPurse, MintedTill, PlayMint } from "./memory_purse.ts";
import { MemoryRelay } from "./post_world.ts";

/** Secrets of the lessee and of the provider. */
export const LESSEE_SECRET = new Uint8Array(32).fill(31);
export const LENDER_SECRET = new Uint8Array(32).fill(32);
export const LESSEE = nostrPublicKey(LESSEE_SECRET);
export const LENDER = nostrPublicKey(LENDER_SECRET);

/** What the purse has at first. */
export const FUNDED_SAT = 10_000;

/** Turns of the event loop are cheap, and encryption needs some. */
class QuickClock extends ManualClock {
  override async settle(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A lessee with the parts that die with it. */
export interface LesseeRun extends AsyncDisposable {
  readonly lessee: Lessee;
  readonly market: Market;
  readonly line: MessageLine;
  readonly book: LeaseBook;
  readonly events: LesseeEvent[];
  readonly kill: KillSwitch;
}

/** A provider with the parts that die with it. */
export interface LenderRun extends AsyncDisposable {
  readonly provider: Provider;
  readonly journal: LeaseJournal;
  readonly post: Correspondence;
}

/** The world. */
export class LesseeWorld implements AsyncDisposable {
  readonly clock: ManualClock = new QuickClock();
  readonly random = seededRandom(11);
  readonly relay = new MemoryRelay();
  readonly mint = new PlayMint();
  readonly till = new MintedTill(this.mint);
  readonly purse = new MemoryPurse({
    balanceSat: FUNDED_SAT,
    mint: this.mint,
    till: this.till,
    clock: this.clock,
  });
  readonly backend = new MemoryBackend();
  readonly images = new MemoryImages();
  readonly problems: string[] = [];
  answersSsh = true;
  settings: ProviderSettings = { ...DEFAULT_SETTINGS, name: "Lender", specs: [BASIC] };
  /** Ids of messages that were handled; files in the real world. */
  readonly #lesseeSeen: SeenIds = new MemorySeenIds();
  readonly #lenderSeen: SeenIds = new MemorySeenIds();
  readonly folder = Deno.makeTempDirSync({ prefix: "lessee-" });
  readonly #open: AsyncDisposable[] = [];
  #bookName = "lessee.sqlite";

  /** Starts a provider that is announced. */
  async lender(options: { readonly receipts?: ReceiptDesk } = {}): Promise<LenderRun> {
    const { clock, random, relay: pool, till, backend, images, settings } = this;
    const journal = LeaseJournal.open({ path: join(this.folder, "leases.sqlite") });
    const ssh = {
      newHostKey: () =>
        Promise.resolve({ privateKey: "a key", fingerprint: `SHA256:${"f".repeat(43)}` }),
      awaitBanner: async (_: unknown, { signal }: { readonly signal: AbortSignal }) => {
        if (!this.answersSsh) await clock.sleep(3_600_000, { signal });
      },
    };
    const provider = await Provider.start({
      provider: LENDER,
      settings,
      journal,
      backend,
      till,
      images,
      ssh,
      clock,
      random,
      ...options,
    });
    const onProblem = (problem: string) => void this.problems.push(problem);
    const post = Correspondence.open({
      provider,
      journal,
      pool,
      secretKey: LENDER_SECRET,
      seen: this.#lenderSeen,
      clock,
      random,
      onProblem,
    });
    const announcer = Announcer.start({
      provider,
      publicKey: LENDER,
      secretKey: LENDER_SECRET,
      settings,
      journal,
      till,
      backend,
      ssh,
      pool,
      clock,
      onProblem,
    });
    let isStopped = false;
    const run: LenderRun = {
      provider,
      journal,
      post,
      [Symbol.asyncDispose]: async () => {
        if (isStopped) return;
        isStopped = true;
        await announcer[Symbol.asyncDispose]();
        await post[Symbol.asyncDispose]();
        await provider[Symbol.asyncDispose]();
        journal[Symbol.dispose]();
      },
    };
    this.#open.push(run);
    return run;
  }

  /** Starts a lessee that is killed at point `killAt`. @throws {Killed} */
  async lessee(
    options: {
      readonly killAt?: number;
      readonly receipts?: LeaseReceipts;
      readonly kind?: PrivateKind;
    } = {},
  ): Promise<LesseeRun> {
    await Promise.resolve();
    const kill = new KillSwitch(options.killAt);
    const { clock, random } = this;
    const pool = kill.around(this.relay);
    let book: LeaseBook;
    try {
      book = LeaseBook.open({
        path: join(this.folder, this.#bookName),
        beforeCommit: () => kill.point("commit"),
      });
    } catch (error) {
      throw kill.isDead ? new Killed(kill.place) : error;
    }
    const events: LesseeEvent[] = [];
    const onProblem = (problem: string) => void this.problems.push(problem);
    let line: MessageLine | undefined;
    try {
      line = MessageLine.open({
        book,
        pool,
        secretKey: LESSEE_SECRET,
        seen: this.#lesseeSeen,
        clock,
        random,
        onProblem,
        ...(options.kind === undefined ? {} : { kindFor: () => options.kind! }),
      });
      const market = new Market({ pool: this.relay, clock });
      const lessee = Lessee.open({
        owner: LESSEE,
        book,
        market,
        line,
        purse: kill.around(this.purse),
        sshKey: { get: () => Promise.resolve({ publicKey: SSH_KEY, path: "/keys/id_ed25519" }) },
        clock,
        random,
        ...(options.receipts === undefined ? {} : { receipts: options.receipts }),
      });
      lessee.onEvent((event) => events.push(event));
      const open = line;
      const run: LesseeRun = {
        lessee,
        market,
        line,
        book,
        events,
        kill,
        [Symbol.asyncDispose]: async () => {
          await lessee[Symbol.asyncDispose]();
          await open[Symbol.asyncDispose]();
          market[Symbol.dispose]();
          book[Symbol.dispose]();
        },
      };
      this.#open.push(run);
      return run;
    } catch (error) {
      await line?.[Symbol.asyncDispose]();
      book[Symbol.dispose]();
      throw kill.isDead ? new Killed(kill.place) : error;
    }
  }

  /** The next lessee begins with an empty book. */
  loseBook(): void {
    this.#bookName = `lessee-${this.random.bytes(4).toHex()}.sqlite`;
  }

  /** Lets time pass until `work` is done, or its lessee is dead, for up to `ms`. */
  async during<T>(
    work: Promise<T>,
    options: { readonly run?: LesseeRun; readonly ms?: number } = {},
  ): Promise<T> {
    const { run, ms = 300_000 } = options;
    let isDone = false;
    work.then(() => isDone = true, () => isDone = true);
    let stepMs = 20;
    for (let waitedMs = 0; !isDone && waitedMs < ms; waitedMs += stepMs) {
      if (run?.kill.isDead) break;
      await this.pass(stepMs);
      stepMs = Math.min(15_000, Math.ceil(stepMs * 1.3));
    }
    if (run?.kill.isDead && !isDone) throw new Killed(run.kill.place);
    if (!isDone) throw new Error(`Not done after ${ms} ms`);
    return await work;
  }

  /** Lets `ms` pass, and what it leads to happen. */
  async pass(ms: number): Promise<void> {
    // Encryption and timers of zero length take real turns.
    for (let turn = 0; turn < 6; turn++) {
      await this.clock.advance(Math.ceil(ms / 6));
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  /** Events that the relay keeps of a kind. */
  stored(filter: Filter): NostrEvent[] {
    return this.relay.stored.filter((event) => filter.kinds?.includes(event.kind) ?? true);
  }

  /** All money, wherever it is. */
  get moneySat(): number {
    const { purse, till } = this;
    return purse.balanceSat + purse.inFlightSat + purse.unreceivedSat + till.balanceSat;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#open) {
      await Promise.resolve(one[Symbol.asyncDispose]()).catch(() => {});
    }
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A public key as lessees send it. */
export const SSH_KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJq1pQ7Yb3z1cQeVQ0vCwq9r5H0nq3b7o6mJv8i2d4kF";
