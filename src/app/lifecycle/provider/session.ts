/**
 * One time of lending: the journal, the engine, the till and the images that a provider works with, and
 * what it says to relays. Opened in order, closed in the opposite order; leases go on meanwhile.
 */
import { join } from "node:path";
import { messageOf, SeedmintError } from "../../../core/errors.ts";
import { systemClock, systemRandom } from "../../../host/system.ts";
import type { RelayPool } from "../../../nostr/mod.ts";
import { nostrPublicKey } from "../../../nostr/nostr.ts";
import { ProcessLock } from "../../../sqlite/mod.ts";
import {
  isOver,
  type Lease,
  LeaseJournal,
  type StoryEntry,
} from "../../../../provisioning/leases/mod.ts";
import {
  checkSettings,
  Provider,
  type ProviderSettings,
  sshKit,
} from "../../../../provisioning/provider/mod.ts";
import type { Network } from "../../../../swarm/ports.ts";
import { RegistryClient } from "../../../../swarm/registry/upstream/mod.ts";
import type { SwarmFetch } from "../../../../swarm/registry/ports.ts";
import type { BlobStore } from "../../../../swarm/store/blob_store.ts";
import type { LentLease } from "../../api/provider_methods.ts";
import type { Config } from "../../config/settings.ts";
import type { Identity } from "../../identity.ts";
import { logOf } from "../../log.ts";
import { lendingLine, mayLend } from "../../permissions.ts";
import type { NodeReceipts } from "../receipts.ts";
import type { WalletHost } from "../wallet.ts";
import { openBackend, type WatchedBackend } from "./backend.ts";
import { inBackground, openHttp, openRelays, receiptDesk } from "./doors.ts";
import { LeaseTill } from "./lease_till.ts";
import { MINTS_LOOK_MS, MINTS_MS, PRUNE_MS, UPKEEP_MS } from "./limits.ts";
import { lockNetwork } from "./network_lock.ts";
import { providerSettings } from "./provider_settings_of.ts";
import { publicFetch } from "./public_fetch.ts";
import { PublicImages } from "./public_images.ts";
import { PublicParts } from "./public_parts.ts";
import { lentLease } from "./views.ts";
import { ensureWatchdog, lendingLock, runningWatchdog } from "./watchdog.ts";

/** What lending needs of the node. */
export interface LendingOptions {
  readonly config: Config;
  readonly identity: Identity;
  readonly store: BlobStore;
  readonly wallet: Pick<WalletHost, "open" | "isWanted">;
  readonly network: Network | undefined;
  /** Relays that everybody reads. */
  readonly pool: RelayPool | undefined;
  /** The swarm as a stranger sees it; undefined without libp2p or relays. */
  readonly swarm: () => Promise<SwarmFetch | undefined>;
  /** Where receipts are kept. */
  readonly receipts: Pick<NodeReceipts, "store">;
}

/** What is there while something is lent. */
export interface LendingParts {
  /** Nostr key of the provider, 64 hex digits. */
  readonly publicKey: string;
  readonly provider: Provider;
  readonly journal: LeaseJournal;
  readonly till: LeaseTill;
  readonly backend: WatchedBackend;
  readonly settings: ProviderSettings;
  /** Ends of leases since the start, by reason. */
  readonly ended: ReadonlyMap<string, number>;
  /** The process that ends leases if this one dies. */
  readonly watchdogPid: () => number;
  /** How a lease is shown. */
  readonly view: (lease: Lease, story?: readonly StoryEntry[]) => LentLease;
}

/** See the head of this file. */
export class LendingSession implements AsyncDisposable {
  readonly parts: LendingParts;
  readonly #stack: AsyncDisposableStack;

  private constructor(parts: LendingParts, stack: AsyncDisposableStack) {
    this.parts = parts;
    this.#stack = stack;
  }

  /**
   * Begins to lend.
   *
   * @throws {SeedmintError} `usage` for settings that do not do; `locked`, `storage`, `unavailable`.
   */
  static async open(
    options: LendingOptions,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<LendingSession> {
    const { config, identity } = options;
    assertUsable(options);
    const publicKey = nostrPublicKey(identity.nostrSecret);
    const settings = providerSettings(config, publicKey);
    checkSettings(settings);
    await using stack = new AsyncDisposableStack();
    const folder = await openFolder(config);
    stack.use(ProcessLock.take(join(folder, "lock"), `the leases in ${folder}`));
    stack.use(lendingLock(config));
    const journal = stack.use(LeaseJournal.open({ path: join(folder, "leases.sqlite") }));
    const till = await openTill(options, journal, signal);
    stack.use(lockNetwork(config));
    const keptImages = () => imagesOfOpen(journal);
    const backend = stack.use(
      await openBackend(config, "provider", { key: () => publicKey, keptImages }),
    );
    const images = await openImages(options, stack, folder);
    const ssh = sshKit({ clock: systemClock, random: systemRandom });
    const needs = { provider: publicKey, settings, journal, backend, till, images, ssh };
    const receipts = receiptDesk(options, { publicKey, journal, till });
    stack.defer(() => receipts.idle());
    const provider: Provider = stack.use(
      await Provider.start({ ...needs, receipts, clock: systemClock, random: systemRandom }),
    );
    receipts.noteLeases(provider.leases());
    stack.defer(provider.onEvent((event) => receipts.noteEvent(event)));
    const view: LendingParts["view"] = (lease, story = []) =>
      lentLease(lease, { provider: publicKey, nowMs: systemClock.nowMs(), story });
    const ended = new Map<string, number>();
    const watchdog = { pid: await ensureWatchdog(config) };
    const watchdogPid = () => watchdog.pid;
    const own = { publicKey, provider, journal, till, backend, settings };
    const parts = { ...own, ended, view, watchdogPid };
    watchProvider(parts, ended, stack);
    keepUp(options, { ...parts, watchdog }, stack);
    openHttp(options, parts, stack);
    openRelays(options, parts, { stack, folder, ssh });
    return new LendingSession(parts, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** @throws {SeedmintError} `usage` that says which setting is missing. */
function assertUsable({ config, pool }: LendingOptions): void {
  const refuse = (what: string) => {
    throw new SeedmintError("usage", `Cannot lend compute: ${what}`);
  };
  if (config.providerTier.length === 0) {
    refuse("there is no tier; provider setup makes some, or --provider-tier names one");
  }
  if (config.providerPublicHost === undefined) {
    refuse("nobody knows where lessees connect; say --provider-public-host NAME-OR-ADDRESS");
  }
  if (pool === undefined && config.providerHttp === undefined) {
    refuse("nobody would hear of it; say --relay WS_URL");
  }
  if (!mayLend()) {
    refuse(
      `engines need all of Deno's permissions; start the node as ${lendingLine()} start`,
    );
  }
}

/** The folder of what only a provider has. */
async function openFolder(config: Pick<Config, "data" | "providerState">): Promise<string> {
  const folder = join(config.data, "provider");
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    await Deno.mkdir(config.providerState, { recursive: true, mode: 0o711 });
    return folder;
  } catch (error) {
    throw new SeedmintError(
      "storage",
      `Cannot make the folders of leases: ${messageOf(error)}; choose another --provider-state`,
      { cause: error },
    );
  }
}

async function openTill(
  { config, wallet }: LendingOptions,
  journal: LeaseJournal,
  signal: AbortSignal,
): Promise<LeaseTill> {
  const opened = await wallet.open();
  const log = logOf("lease");
  const till = opened.till({
    mints: config.providerMints,
    onProblem: (message) => log("warning", message),
  });
  // A wallet that was just opened asks the mints of the settings who they are before it lists them.
  const untilMs = systemClock.monotonicMs() + MINTS_MS;
  while (till.mints.length === 0 && systemClock.monotonicMs() < untilMs) {
    await systemClock.sleep(MINTS_LOOK_MS, { signal });
  }
  if (till.mints.length === 0) {
    throw new SeedmintError(
      "unavailable",
      "Cannot lend compute: no mint is listed, so nobody could pay; say --mint URL, or wallet mints add",
      { retryable: true },
    );
  }
  for (const url of config.providerMints.filter((url) => !till.mints.includes(url))) {
    log("warning", "a mint of provider-mints is not listed in the wallet: its ecash is not taken", {
      mint: url,
    });
  }
  await till.prepare({ signal: AbortSignal.any([signal, AbortSignal.timeout(MINTS_MS)]) })
    .catch(() => signal.throwIfAborted());
  return new LeaseTill(till, journal);
}

async function openImages(
  options: LendingOptions,
  stack: AsyncDisposableStack,
  folder: string,
): Promise<PublicImages> {
  const { config, store } = options;
  const known = stack.use(PublicParts.open(join(folder, "images.sqlite"), systemClock));
  const clients = new Map(config.providerRegistry.map((registry) => [
    registry,
    new RegistryClient({ registry, clock: systemClock, fetch: publicFetch() }),
  ]));
  const swarm = await options.swarm();
  return new PublicImages({
    store,
    known,
    ...(swarm === undefined ? {} : { swarm }),
    upstreamOf: (registry) => clients.get(registry),
    mustBeNamed: (digest) => mustBeNamed(digest, config.providerImages),
    clock: systemClock,
  });
}

/** Where some images alone are taken, a digest is that of a rule, or must be known to be of its name. */
function mustBeNamed(digest: string, rules: Config["providerImages"]): boolean {
  const taken = rules.filter(({ allows }) => allows);
  return taken.length > 0 && !taken.some(({ match }) => match.replace(/^sha256:/, "") === digest);
}

/** What happens is logged, and counted. */
function watchProvider(
  { provider }: LendingParts,
  ended: Map<string, number>,
  stack: AsyncDisposableStack,
): void {
  const log = logOf("lease");
  stack.defer(provider.onEvent((event) => {
    switch (event.type) {
      case "lease": {
        const { number, state, ending } = event.lease;
        log("info", "lease", { number, state, ...(ending && { ending: ending.reason }) });
        const reason = isOver(event.lease) ? ending?.reason : undefined;
        if (reason !== undefined) ended.set(reason, (ended.get(reason) ?? 0) + 1);
        break;
      }
      case "swept":
        log("warning", "removed an instance that no lease has", { name: event.name });
        break;
      case "problem":
        log("warning", event.message);
        break;
      case "offer":
        break;
      default:
        event satisfies never;
    }
  }));
}

/** Images of leases that go on: what is about to start is not on the engine yet. */
function imagesOfOpen({ leases }: LeaseJournal): ReadonlySet<string> {
  return new Set(leases.open().flatMap((lease) => lease.imageDigest ?? []));
}

/** The watchdog lives, and images that no lease stands on go. */
function keepUp(
  { config }: LendingOptions,
  { backend, journal, watchdog }: LendingParts & { readonly watchdog: { pid: number } },
  stack: AsyncDisposableStack,
): void {
  const log = logOf("lease");
  let prunedMs = systemClock.monotonicMs();
  inBackground(stack, async (signal) => {
    while (!signal.aborted) {
      await systemClock.sleep(UPKEEP_MS, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        if (await runningWatchdog(config) === undefined) {
          log("warning", "the watchdog was gone; another one is started");
        }
        watchdog.pid = await ensureWatchdog(config);
        if (systemClock.monotonicMs() - prunedMs < PRUNE_MS) continue;
        prunedMs = systemClock.monotonicMs();
        await backend.prune?.(imagesOfOpen(journal));
      } catch (error) {
        log("warning", `Looking after leases failed: ${messageOf(error)}`);
      }
    }
  });
}
