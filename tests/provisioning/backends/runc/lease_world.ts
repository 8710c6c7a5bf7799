/** One backend in a folder of its own, with leases that are gone at the end. */
import { RuncBackend, type RuncOptions } from "../../../../provisioning/backends/runc/mod.ts";
import type { ExecResult, Image, InstanceSpec } from "../../../../provisioning/ports.ts";
import { awaitBanner } from "../../../../provisioning/ssh/mod.ts";
import { systemClock, systemRandom } from "../../../../src/host/system.ts";
import { makeSpec } from "../../../conformance/backend.ts";
import { busyboxImage } from "../../../support/provisioning/busybox_image.ts";
import { stateFolder } from "./lab.ts";

export class LeaseWorld implements AsyncDisposable {
  readonly backend: RuncBackend;
  readonly stateDir: string;
  readonly image: Image;
  readonly #leases: string[] = [];

  private constructor(backend: RuncBackend, stateDir: string, image: Image) {
    this.backend = backend;
    this.stateDir = stateDir;
    this.image = image;
  }

  static async open(options: Partial<RuncOptions> = {}): Promise<LeaseWorld> {
    const stateDir = await stateFolder();
    const backend = await RuncBackend.open(optionsFor(stateDir, options));
    return new LeaseWorld(backend, stateDir, await busyboxImage());
  }

  async spec(more: Partial<InstanceSpec> = {}): Promise<InstanceSpec> {
    const spec = await makeSpec({ image: this.image, firstPort: 32_000 }, more);
    this.#leases.push(spec.leaseId);
    return spec;
  }

  /** Makes and starts a lease, and waits for its SSH. */
  async lease(more: Partial<InstanceSpec> = {}): Promise<InstanceSpec> {
    const spec = await this.spec(more);
    await this.run(spec);
    return spec;
  }

  async run(spec: InstanceSpec): Promise<void> {
    await this.backend.create(spec, { signal: new AbortController().signal });
    await this.backend.start(spec.leaseId);
    const target = { host: this.backend.publicHost, port: spec.ssh.hostPort };
    await awaitBanner(target, { clock: systemClock, withinMs: 30_000 });
  }

  /** Runs a line of shell in a lease. */
  async sh(spec: InstanceSpec, line: string, timeoutMs = 20_000): Promise<ExecResult> {
    const signal = new AbortController().signal;
    return await this.backend.exec(spec.leaseId, ["sh", "-c", line], { timeoutMs, signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const leaseId of this.#leases) await this.backend.destroy(leaseId);
    await this.backend[Symbol.asyncDispose]();
    await Deno.remove(this.stateDir, { recursive: true });
  }
}

export function optionsFor(stateDir: string, more: Partial<RuncOptions> = {}): RuncOptions {
  return {
    stateDir,
    publicHost: "127.0.0.1",
    clock: systemClock,
    random: systemRandom,
    ...more,
  };
}

/** The number that the host knows a lease's first process by. */
export async function firstPid(world: LeaseWorld, spec: InstanceSpec): Promise<number> {
  const state = await host("runc", "--root", `${world.stateDir}/runc`, "state", spec.leaseId);
  return (JSON.parse(state) as { readonly pid: number }).pid;
}

/** Runs a program of the host. @returns What it printed. @throws {Error} If it fails. */
export async function host(program: string, ...args: string[]): Promise<string> {
  const { code, stdout, said } = await run(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: exit code ${code}: ${said}`);
  return stdout;
}

/** Runs a program of the host that may fail. @returns All that it printed. */
export async function hostSays(program: string, ...args: string[]): Promise<string> {
  return (await run(program, args)).said;
}

async function run(program: string, args: string[]) {
  const output = await new Deno.Command(program, { args, stdin: "null" }).output();
  const [stdout, stderr] = [output.stdout, output.stderr].map((it) => new TextDecoder().decode(it));
  return { code: output.code, stdout: stdout!, said: stdout! + stderr! };
}
