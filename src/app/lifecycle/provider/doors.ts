/** The ways in which lessees ask: private messages and HTTP; and the receipts that they ask for. */
import { join } from "node:path";
import { systemClock, systemRandom } from "../../../host/system.ts";
import { SqliteSeenIds } from "../../../nostr/mod.ts";
import { HttpDesk } from "../../../../provisioning/http/mod.ts";
import {
  Announcer,
  Correspondence,
  offerOf,
  type OfferOptions,
  type SshKit,
} from "../../../../provisioning/provider/mod.ts";
import { hostPlatform } from "../../../../swarm/registry/manifest/mod.ts";
import { logOf } from "../../log.ts";
import { LeaseHttpServer } from "../lease_http.ts";
import { LeaseReceiptDesk } from "../lease_receipts.ts";
import { tellInbox } from "./inbox_told.ts";
import type { LendingOptions, LendingParts } from "./session.ts";

/** Requests of ours that are answered here, as offers say. */
const VERBS = ["quote", "stop", "restart", "logs", "exec", "leases", "receipt"];

/** Signs receipts with lessees, and keeps them beside the node's others. */
export function receiptDesk(
  { config, identity, receipts, pool }: LendingOptions,
  parts: Pick<LendingParts, "publicKey" | "journal" | "till">,
): LeaseReceiptDesk {
  const { publicKey, journal, till } = parts;
  return new LeaseReceiptDesk({
    provider: publicKey,
    store: () => receipts.store(),
    signer: { secretKey: identity.nostrSecret, publishes: config.leaseReceiptsPublic },
    clock: systemClock,
    random: systemRandom,
    log: logOf("lease"),
    payments: (lease) => journal.payments.ofLease(lease),
    ysOf: (tokenId) => till.ysOf(tokenId),
    ...(pool === undefined ? {} : { publish: async (event) => void await pool.publish(event) }),
  });
}

/** Messages in and out, offers and heartbeats. */
export function openRelays(
  options: LendingOptions,
  parts: LendingParts,
  own: { readonly stack: AsyncDisposableStack; readonly folder: string; readonly ssh: SshKit },
): void {
  const { identity, pool } = options;
  if (pool === undefined) return;
  const { stack, folder, ssh } = own;
  const onProblem = problemLog();
  const secretKey = identity.nostrSecret;
  const seen = stack.use(SqliteSeenIds.open(join(folder, "seen.sqlite")));
  stack.use(Correspondence.open({
    ...parts,
    pool,
    secretKey,
    seen,
    clock: systemClock,
    random: systemRandom,
    onProblem,
  }));
  stack.use(Announcer.start({
    ...parts,
    ...offered(options, parts),
    secretKey,
    ssh,
    pool,
    clock: systemClock,
    onProblem,
  }));
  inBackground(stack, (signal) => tellInbox({ pool, secretKey, signal }));
}

/** Lends over HTTP, if the settings say so. @throws {SeedmintError} `unavailable` for a port that is taken. */
export function openHttp(
  options: LendingOptions,
  parts: LendingParts,
  stack: AsyncDisposableStack,
): void {
  const { config, identity } = options;
  if (config.providerHttp === undefined) return;
  const { provider, publicKey } = parts;
  const offer = offered(options, parts);
  // Requests may be signed for either address.
  const urls: string[] = config.providerHttpUrl === undefined ? [] : [config.providerHttpUrl];
  const log = logOf("lease");
  const desk = new HttpDesk({
    provider,
    publicKey,
    secretKey: identity.nostrSecret,
    urls,
    offer: () => {
      const status = provider.status();
      return status.probe.ok ? offerOf(offer, status) : undefined;
    },
    clock: systemClock,
    onProblem: problemLog(),
  });
  const server = stack.use(
    new LeaseHttpServer({
      ...config.providerHttp,
      clock: systemClock,
      desk,
      onServed: (event) => log("debug", "answered over HTTP", event),
    }),
  );
  urls.push(server.url);
  log("info", "lending over HTTP", { url: server.url });
}

/** Runs `work` until the stack is disposed of, and waits for its end then. */
export function inBackground(
  stack: AsyncDisposableStack,
  work: (signal: AbortSignal) => Promise<void>,
): void {
  const closing = new AbortController();
  const running = work(closing.signal);
  running.catch(() => {});
  stack.defer(async () => {
    closing.abort();
    await Promise.allSettled([running]);
  });
}

function offered({ network }: LendingOptions, parts: LendingParts): OfferOptions {
  const { publicKey, settings, till, backend } = parts;
  return {
    publicKey,
    settings,
    till,
    backend,
    verbs: VERBS,
    arch: hostPlatform(Deno.build).architecture,
    ...(network === undefined ? {} : { peerId: network.peerId }),
  };
}

function problemLog(): (message: string) => void {
  const log = logOf("lease");
  return (message) => log("warning", message);
}
