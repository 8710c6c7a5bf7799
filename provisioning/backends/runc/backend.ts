/** The backend `runc`. */
import { HostBackend, type HostOptions } from "../host/mod.ts";
import { RuncContainers } from "./containers.ts";

/** How leases on runc are run. */
export interface RuncOptions extends HostOptions {
  /** The first of 65 536 users of the host that leases get, groups alike. @default {200000} */
  readonly idBase?: number;
}

/** The embedded backend. */
export class RuncBackend extends HostBackend {
  private constructor(options: RuncOptions) {
    super(new RuncContainers({ ...options, idBase: options.idBase ?? 200_000 }), options);
  }

  /**
   * Opens the state directory, and makes it if it is not there. One process at a time may unpack
   * images; {@link RuncBackend.attach} is for others.
   */
  static async open(options: RuncOptions): Promise<RuncBackend> {
    const backend = new RuncBackend(options);
    await backend.clean();
    return backend;
  }

  /** Works on the leases beside the process that opened the directory, as the watchdog does. */
  static attach(options: RuncOptions): Promise<RuncBackend> {
    return Promise.resolve(new RuncBackend(options));
  }
}
