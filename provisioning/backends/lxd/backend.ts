/** The backends `lxd` and `incus`. */
import { EngineBackend, type EngineOptions, providerTag } from "../engine/mod.ts";
import { LxdEngine } from "./lxd_engine.ts";

/** How leases on LXD or Incus are run. */
export interface LxdOptions extends EngineOptions {
  readonly engine: "lxd" | "incus";
  /**
   * In the engine's own directory, below which its pools are.
   *
   * @default {"/var/lib/lxd/unix.socket" or "/var/lib/incus/unix.socket"}
   */
  readonly socketPath?: string;
}

/** Leases on LXD or Incus. */
export class LxdBackend extends EngineBackend {
  private constructor(options: LxdOptions) {
    const { engine, stateDir } = options;
    super(
      new LxdEngine({
        engine,
        stateDir,
        socketPath: options.socketPath ?? `/var/lib/${engine}/unix.socket`,
        tag: providerTag(stateDir),
      }),
      options,
    );
  }

  /**
   * Opens the state directory, and makes it if it is not there. One process at a time may unpack
   * images; {@link LxdBackend.attach} is for others.
   */
  static async open(options: LxdOptions): Promise<LxdBackend> {
    const backend = new LxdBackend(options);
    await backend.clean();
    return backend;
  }

  /** Works on the leases beside the process that opened the directory, as the watchdog does. */
  static attach(options: LxdOptions): Promise<LxdBackend> {
    return Promise.resolve(new LxdBackend(options));
  }
}
