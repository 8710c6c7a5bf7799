/** What the methods of a node work with: the pieces that `src/app/lifecycle` put together. */
import type { Clock } from "../../core/ports.ts";
import { SeedmintError } from "../../core/errors.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import type { Announcer, Discovery, Network, ProviderHint } from "../../../swarm/ports.ts";
import type { Config } from "../config/settings.ts";
import type { ImageAccess } from "./images.ts";
import type { LeaseAccess } from "./leases.ts";
import type { ProviderAccess } from "./provider.ts";
import type { MethodName, Methods, RelayStatus } from "./methods.ts";
import type { ReceiptAccess } from "./receipt_methods.ts";
import type { Tracing } from "../tracing.ts";
import type { SellingAccess } from "./selling.ts";
import type { Transfers } from "./transfers.ts";
import type { CatalogAccess } from "./trust.ts";
import type { WalletApi } from "../../../wallet/wallet_api.ts";
import type { WalletCall } from "./wallet_methods.ts";

/** The wallet of a node. */
export interface WalletAccess {
  /**
   * Asks it, and opens it first if it is not open.
   *
   * @throws {SeedmintError} If it cannot be opened, or says no.
   */
  readonly call: WalletCall;
  /** The wallet if it is open. */
  readonly opened: () => WalletApi | undefined;
}

/** The pieces. What could not be started is absent, and `problems` says why. */
export interface NodeParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly peerId: string;
  readonly npub: string;
  readonly nostrKey: string;
  /** When the node started; undefined when a verb works alone. */
  readonly startedMs?: number;
  readonly store: BlobStore;
  readonly network?: Network;
  /** Who may have a blob, by every way there is. */
  readonly discovery: Discovery;
  readonly announcer?: Announcer;
  /** Shows peers that this node belongs to the fleet. */
  readonly certificate?: Uint8Array<ArrayBuffer>;
  readonly transfers: Transfers;
  /** Of a verb that works alone, it is opened only when money is asked for or paid. */
  readonly wallet?: WalletAccess;
  /** Prices and earnings. */
  readonly selling?: SellingAccess;
  /** Receipts for bytes. */
  readonly receipts?: ReceiptAccess;
  /** Container images. */
  readonly images?: ImageAccess;
  /** Renting compute. */
  readonly leases?: LeaseAccess;
  /** Lending compute, of a node that runs. */
  readonly provider?: ProviderAccess;
  /** Signed catalogs. */
  readonly catalogs?: CatalogAccess;
  /** Reads hints out of multiaddrs with `/p2p/`. */
  readonly hintsOf: (addresses: readonly string[], via: ProviderHint["via"]) => ProviderHint[];
  readonly relays: () => readonly RelayStatus[];
  /** Spans, when somebody collects them. */
  readonly tracing?: Tracing;
  /** What does not work, in words. */
  readonly problems: () => readonly string[];
}

/** What a handler gets besides its parameters. */
export interface HandlerContext<Name extends MethodName> {
  readonly signal: AbortSignal;
  readonly emit: (event: Methods[Name]["event"]) => void;
}

/** The code of one method. */
export type Handler<Name extends MethodName> = (
  parts: NodeParts,
  params: Methods[Name]["params"],
  context: HandlerContext<Name>,
) => Promise<Methods[Name]["result"]>;

/** Turns a file system's refusal into an error that says what to do. */
export function storageError(error: unknown, what: string): SeedmintError {
  if (error instanceof SeedmintError) return error;
  const why = error instanceof Deno.errors.NotFound
    ? "there is no such file or directory"
    : error instanceof Deno.errors.PermissionDenied
    ? "the node may not; check owner and mode"
    : error instanceof Deno.errors.NotCapable
    ? `${error.message} (Deno permission of the node)`
    : error instanceof Error
    ? error.message
    : String(error);
  return new SeedmintError("storage", `${what}: ${why}`, { cause: error });
}
