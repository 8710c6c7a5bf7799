/** The one cascade of a node: what the fleet wants from outside at one moment, it reads once. */
import { join } from "node:path";
import { messageOf } from "../../core/errors.ts";
import type { Cascade, CascadeFigures } from "../../../swarm/cascade/mod.ts";
import type { Network, PeerAddress } from "../../../swarm/ports.ts";
import { systemClock, systemRandom } from "../../host/system.ts";
import { logOf } from "../log.ts";
import type { Common } from "./compose.ts";
import { fleetHerd } from "./herd.ts";
import type { Membership } from "./membership.ts";
import { hintsOf } from "./peers.ts";
import { UploadLimits } from "./upload_limits.ts";

/** What it is made over. */
export interface NodeCascadeOptions extends Pick<Common, "config" | "store" | "identity"> {
  readonly network: Network | undefined;
  readonly members: Membership;
  readonly certificate: Uint8Array<ArrayBuffer> | undefined;
}

/** Starts it when it is first needed, and at once in a node that has a fleet to serve. */
export class NodeCascade implements AsyncDisposable {
  /** How fast this node sends; shared with all others that do. */
  readonly uploads: UploadLimits;
  readonly #options: NodeCascadeOptions;
  #opening: Promise<Cascade> | undefined;
  #opened: Cascade | undefined;
  #isClosed = false;

  constructor(options: NodeCascadeOptions) {
    this.#options = options;
    this.uploads = new UploadLimits(options.config, systemClock);
  }

  /** Whether there are members to share with. */
  get hasFleet(): boolean {
    const { network, config } = this.#options;
    return network !== undefined && (config.fleet.length > 0 || config.fleetKey !== undefined);
  }

  /** The cascade. @throws {SeedmintError} `storage` if its directory cannot be used; it is tried again. */
  readonly open = async (): Promise<Cascade> => {
    this.#opening ??= this.#open().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return await this.#opening;
  };

  /** Begins to serve the fleet, if there is one; a problem is told, and everybody reads alone. */
  async start(problems: string[]): Promise<void> {
    if (!this.hasFleet) return;
    try {
      await this.open();
    } catch (error) {
      problems.push(`the fleet does not read origins together: ${messageOf(error)}`);
      logOf("transfer")("error", "the cascade did not start", { error });
    }
  }

  /** What it did; undefined while it is not open. */
  figures(): CascadeFigures | undefined {
    return this.#opened?.figures();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const opened = await this.#opening?.catch(() => undefined);
    await opened?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<Cascade> {
    const { config, store, identity, network, members, certificate } = this.#options;
    const { Cascade } = await import("../../../swarm/cascade/mod.ts");
    const herd = fleetHerd({ self: identity.peerId, members: config.fleet });
    const cascade = await Cascade.start({
      ...(network === undefined ? {} : { network }),
      ...(herd === undefined ? {} : { herd }),
      ...(certificate === undefined ? {} : { certificate }),
      store,
      fleet: members,
      members: () => this.#configured,
      uploads: this.uploads,
      directory: join(config.data, "cascade"),
      quotaBytes: config.quota,
      clock: systemClock,
      random: systemRandom,
    });
    if (this.#isClosed) {
      await cascade[Symbol.asyncDispose]();
      throw new DOMException("The node is stopping", "AbortError");
    }
    this.#opened = cascade;
    return cascade;
  }

  /**
   * Members that the settings say how to reach. A fleet of certificates does not say who its members are:
   * there every peer of the settings may be one, and shows it before anything is taken from it.
   */
  get #configured(): readonly PeerAddress[] {
    const { config, members } = this.#options;
    return hintsOf(config.peer, "peer").filter(({ peerId }) =>
      config.fleetKey !== undefined || members.isMember(peerId)
    );
  }
}
