/** Leases on an engine with a daemon. */
import { HostBackend, type HostOptions } from "../host/mod.ts";
import { EngineContainers } from "./containers.ts";
import type { Engine } from "./engine.ts";

/** How leases on an engine are run. */
export type EngineOptions = HostOptions;

/** One engine as a backend. */
export class EngineBackend extends HostBackend {
  /** Makes the state directory if it is not there. */
  protected constructor(engine: Engine, options: EngineOptions) {
    super(new EngineContainers(engine, options), options);
  }
}
