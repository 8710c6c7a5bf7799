/**
 * The lessee of a node, or of one verb: opened when a lease is asked for, and at the start of a node that
 * has a book of leases, so that what is open goes on and leases are kept alive.
 */
import { join } from "node:path";
import { messageOf } from "../../../core/errors.ts";
import type { RelayPool } from "../../../nostr/mod.ts";
import { nostrPublicKey } from "../../../nostr/nostr.ts";
import { systemClock, systemRandom } from "../../../host/system.ts";
import type {
  LeaseReceipts,
  Lessee,
  LesseeEvent,
  ProviderScores,
} from "../../../../provisioning/consumer/mod.ts";
import type { LeaseAccess, LeaseDesk } from "../../api/leases.ts";
import type { Config } from "../../config/settings.ts";
import { type Identity, seedWords } from "../../identity.ts";
import { logOf } from "../../log.ts";
import type { WalletHost } from "../wallet.ts";

/** Options of {@link LesseeHost}. */
export interface LesseeHostOptions {
  readonly config: Config;
  readonly identity: Identity;
  /** The public relays; absent when there are none. */
  readonly pool: RelayPool | undefined;
  readonly wallet: WalletHost;
  /** Whether it is for the time of one verb. */
  readonly isAlone: boolean;
  /** Receipts of leases; loaded with the rest. */
  readonly receipts?: () => Promise<LeaseReceipts>;
  /** What is known of providers. */
  readonly scores?: () => Promise<ProviderScores>;
}

/** What was opened. */
interface Opened extends AsyncDisposable {
  readonly desk: LeaseDesk;
  readonly lessee: Lessee;
}

/** How long a warning of one lease is shown in status. */
const WARNING_MS = 3_600_000;
/** Warnings that are kept. */
const WARNINGS_MAX = 32;

/** {@link LeaseAccess} of a node. */
export class LesseeHost implements LeaseAccess, AsyncDisposable {
  readonly #options: LesseeHostOptions;
  readonly #log = logOf("lease");
  /** By lease, what people should hear of. */
  readonly #warnings = new Map<string, { readonly message: string; readonly atMs: number }>();
  #opening: Promise<Opened> | undefined;
  #problem: string | undefined;
  #isClosed = false;

  constructor(options: LesseeHostOptions) {
    this.#options = options;
  }

  readonly open = async (): Promise<LeaseDesk> => (await this.#opened()).desk;

  /** The lessee itself, for whoever asks for receipts. @throws {SeedmintError} `storage`, `locked` */
  async lessee(): Promise<Lessee> {
    return (await this.#opened()).lessee;
  }

  /** Opens it for a node that has rented something; what does not work is told in problems. */
  async start(): Promise<void> {
    if (!await exists(bookPath(this.#options.config.data))) return;
    try {
      await this.#opened();
    } catch (error) {
      this.#problem = `the book of leases does not open: ${messageOf(error)}`;
      this.#log("error", "the book of leases did not open", { error });
    }
  }

  /** What does not work, and what people should do, in words. */
  problems(): readonly string[] {
    const sinceMs = systemClock.nowMs() - WARNING_MS;
    const warnings = [...this.#warnings.values()].filter(({ atMs }) => atMs >= sinceMs);
    return [
      ...(this.#problem === undefined ? [] : [this.#problem]),
      ...warnings.map(({ message }) => message),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const opened = await this.#opening?.catch(() => undefined);
    await opened?.[Symbol.asyncDispose]();
  }

  async #opened(): Promise<Opened> {
    this.#opening ??= this.#open().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return await this.#opening;
  }

  async #open(): Promise<Opened> {
    if (this.#isClosed) throw new DOMException("The node is stopping", "AbortError");
    await using stack = new AsyncDisposableStack();
    const { config, identity, wallet, receipts, scores } = this.#options;
    const { Lessee, LeaseBook, Market, MessageLine, SshKeyFolder } = await import(
      "../../../../provisioning/consumer/mod.ts"
    );
    const { ProcessLock } = await import("../../../sqlite/mod.ts");
    const { SqliteSeenIds } = await import("../../../nostr/private/mod.ts");
    const common = { clock: systemClock, random: systemRandom };
    const { data } = config;
    stack.use(ProcessLock.take(`${bookPath(data)}.lock`, `the book of leases in ${data}`));
    const book = stack.use(LeaseBook.open({ path: bookPath(data) }));
    const pool = this.#options.pool ?? stack.use(await emptyPool());
    const market = stack.use(
      new Market({
        pool,
        clock: systemClock,
        ...(scores === undefined ? {} : { scores: await scores() }),
      }),
    );
    const onProblem = (message: string) => this.#log("warning", message);
    const line = stack.use(MessageLine.open({
      ...common,
      book,
      pool,
      secretKey: identity.nostrSecret,
      seen: stack.use(SqliteSeenIds.open(join(data, "lessee_seen.sqlite"))),
      onProblem,
    }));
    const { overHttp } = await import("./http_line.ts");
    const { Agreements } = await import("./agreement.ts");
    const { WalletPurse } = await import("./purse.ts");
    const { LesseeDesk } = await import("./desk.ts");
    const agreements = new Agreements({ book, clock: systemClock, budgets: config });
    const purse = new WalletPurse({
      wallet,
      refundKey: await paymentKey(config),
      agree: (payment) => agreements.agree(payment),
    });
    const { sshKeyOf } = await import("./ssh_key.ts");
    const folder = new SshKeyFolder({ folder: join(data, "ssh"), random: systemRandom });
    const lessee = stack.use(Lessee.open({
      ...common,
      owner: nostrPublicKey(identity.nostrSecret),
      book,
      market,
      line: await overHttp(line, { config, secretKey: identity.nostrSecret }),
      purse,
      sshKey: config.lesseeKey === undefined ? folder : sshKeyOf(config.lesseeKey),
      ...(receipts === undefined ? {} : { receipts: await receipts() }),
    }));
    lessee.onEvent((event) => this.#heard(event));
    const relays = () => pool.status();
    const desk = new LesseeDesk({
      lessee,
      market,
      agreements,
      clock: systemClock,
      config,
      relays,
      isAlone: this.#options.isAlone,
    });
    this.#problem = undefined;
    const owned = stack.move();
    return { desk, lessee, [Symbol.asyncDispose]: () => owned.disposeAsync() };
  }

  #heard(event: LesseeEvent): void {
    switch (event.type) {
      case "lease": {
        const { id, stage, end } = event.lease;
        if (stage === "ended" || stage === "failed") this.#warnings.delete(id);
        return this.#log("debug", `lease is ${stage}`, {
          lease: id,
          ...(end === undefined ? {} : { reason: end.reason }),
        });
      }
      case "kept-alive":
        this.#warnings.delete(event.lease.id);
        return this.#log("info", "a lease was topped up", {
          lease: event.lease.id,
          sat: event.amountSat,
        });
      case "money-back":
        return this.#log("info", "money of a lease came back", {
          lease: event.lease.id,
          sat: event.amountSat,
        });
      case "ending":
        return this.#warn(event.lease.id, event.message);
      case "loss":
        return this.#warn(event.lease.id, event.message);
      case "notice": {
        const { notice, message } = event.notice;
        return this.#log("info", "a provider says something of a lease", {
          lease: event.lease.id,
          notice,
          message,
        });
      }
      case "problem":
        return this.#log("warning", event.message);
    }
  }

  #warn(lease: string, message: string): void {
    this.#log("warning", message, { lease });
    this.#warnings.delete(lease);
    this.#warnings.set(lease, {
      message: message.includes(lease) ? message : `lease ${lease}: ${message}`,
      atMs: systemClock.nowMs(),
    });
    if (this.#warnings.size > WARNINGS_MAX) {
      this.#warnings.delete(this.#warnings.keys().next().value!);
    }
  }
}

/** Where the book of a data directory lies. */
export function bookPath(dataDirectory: string): string {
  return join(dataDirectory, "lessee.sqlite");
}

/** The key that refunds are locked to: the wallet's, which need not be open for it. */
async function paymentKey(config: Config): Promise<string> {
  const words = await seedWords({ directory: config.data, words: config.seed });
  const { walletKeysOf } = await import("../../../../wallet/keys.ts");
  return walletKeysOf(words).payment.publicKey;
}

async function emptyPool(): Promise<RelayPool> {
  const { RelayPool } = await import("../../../nostr/mod.ts");
  return new RelayPool({ relays: [], clock: systemClock, random: systemRandom });
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
