/**
 * Leases on a node of Proxmox VE 9.1 or later: an unprivileged container each, whose description is the
 * lease's record. Its interface cannot run commands in containers nor read what they print.
 */
import type { Clock, Random } from "../../../src/core/ports.ts";
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import type {
  Backend,
  BackendProbe,
  ExecResult,
  Image,
  InstanceSpec,
  InstanceState,
  InstanceStats,
  InstanceSummary,
  Resources,
} from "../../ports.ts";
import { checkLeaseId, checkSpec, NAME_SERVERS, SSH_PORT_INSIDE } from "../host/mod.ts";
import { ProxmoxApi } from "./api.ts";
import {
  addressOf,
  containerForm,
  type ContainerOptions,
  FIREWALL_OPTIONS,
  firewallRules,
} from "./container.ts";
import { Forwarder } from "./forwarder.ts";
import { CONFIG_PARALLEL, DESTROY_TRIES_MAX, NUMBER_TRIES_MAX, POLL_MS } from "./limits.ts";
import { nodeCapacity, versionProblem } from "./node_facts.ts";
import { isRecordOf, type LeaseRecord, readRecord, writeRecord } from "./record.ts";
import { TEMPLATE_DIGEST_CHARS, Templates } from "./template.ts";

/** How leases on Proxmox are run. */
export interface ProxmoxOptions {
  /** `https://pve.lan:8006`. */
  readonly url: string;
  /** `USER@REALM!TOKENID=SECRET`, with rights on `/vms`, the storages, the bridge and the node. */
  readonly token: string;
  /** The authority that signed the interface's certificate, PEM: `/etc/pve/pve-root-ca.pem` there. */
  readonly authority?: string;
  readonly node: string;
  /** Holds the containers' disks: `local-lvm`. */
  readonly storage: string;
  /** Holds templates: `local`. */
  readonly templateStorage: string;
  /** @default {"vmbr0"} */
  readonly bridge?: string;
  /** The first two numbers of the leases' network; `.0.1` in it is the node. @default {"10.213"} */
  readonly network?: string;
  /** Images and templates are made here. */
  readonly stateDir: string;
  /** Where lessees connect: this host, which passes connections on. */
  readonly publicHost: string;
  /** The address of this host that is listened on. @default {"0.0.0.0"} */
  readonly listenHost?: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Tells the leases of several providers on one node apart. @default {"default"} */
  readonly pool?: string;
  readonly nameServers?: readonly string[];
  /** Of one lease, each way. @default {BANDWIDTH_BYTES_PER_S} */
  readonly bandwidthBytesPerS?: number;
  /** The largest image, unpacked. @default {IMAGE_BYTES_MAX} */
  readonly imageBytesMax?: number;
}

/** A container as the node lists it. */
interface Listed {
  readonly vmid: number | string;
  readonly name?: string;
  readonly status?: string;
  readonly tags?: string;
}

/** A container of ours with its record, undefined if that cannot be read. */
interface Found {
  readonly vmid: number;
  readonly leaseId: string;
  readonly status: string;
  readonly record: LeaseRecord | undefined;
  /** Changes with each change of the configuration. */
  readonly digest: string | undefined;
}

/** Leases on a node of Proxmox. */
export class ProxmoxBackend implements Backend {
  readonly name = "proxmox";
  readonly publicHost: string;
  readonly #options: ProxmoxOptions;
  readonly #api: ProxmoxApi;
  readonly #templates: Templates;
  readonly #forwarder: Forwarder | undefined;
  readonly #tag: string;
  readonly #lanes = new Map<string, Promise<unknown>>();

  private constructor(options: ProxmoxOptions, who: "provider" | "watchdog") {
    this.#options = options;
    this.publicHost = options.publicHost;
    this.#api = new ProxmoxApi(options);
    this.#templates = new Templates(options.stateDir, options);
    this.#tag = `seedmint-${options.pool ?? "default"}`;
    if (who === "provider") {
      this.#forwarder = new Forwarder(options.listenHost ?? "0.0.0.0", options.clock);
    }
  }

  /** Opens the state directory, and passes connections on to the leases that are there. */
  static async open(options: ProxmoxOptions): Promise<ProxmoxBackend> {
    const backend = new ProxmoxBackend(options, "provider");
    await backend.#templates.open();
    // It may not answer yet: each start publishes its own ports, too.
    for (const { record } of await backend.#all().catch(orNone)) {
      if (record?.phase === "made") backend.#publishAgain(record);
    }
    return backend;
  }

  /** Works on the leases beside the process that opened the directory, as the watchdog does. */
  static attach(options: ProxmoxOptions): Promise<ProxmoxBackend> {
    return Promise.resolve(new ProxmoxBackend(options, "watchdog"));
  }

  async probe(): Promise<BackendProbe> {
    const facts = { isolation: "shared-kernel", capabilities: ["lxc", "oci"] } as const;
    try {
      const { version } = await this.#api.get<{ version: string }>("/version");
      const description = `Proxmox VE ${version}`;
      const problem = versionProblem(version);
      if (problem !== undefined) return { ok: false, problem, description, ...facts };
      await this.capacity();
      return { ok: true, description, ...facts };
    } catch (error) {
      if (!isSeedmintError(error)) throw error;
      return { ok: false, problem: error.message, description: "Proxmox VE", ...facts };
    }
  }

  async capacity(): Promise<Resources> {
    return await nodeCapacity(this.#api, { ...this.#options, tag: this.#tag });
  }

  /** Makes the image a template and puts it on the storage, once. */
  async prepare(image: Image, options: { readonly signal: AbortSignal }): Promise<void> {
    const name = await this.#templates.nameOf(image);
    // One image at a time: each takes its room twice while it is packed.
    await this.#hold("templates", async () => {
      const { templateStorage } = this.#options;
      if ((await this.#volumes()).includes(`${templateStorage}:vztmpl/${name}`)) return;
      const template = await this.#templates.make(image, options);
      try {
        await this.#api.upload(`${this.#node}/storage/${templateStorage}/upload`, template);
      } finally {
        await this.#templates.drop(template, image);
      }
    });
  }

  async create(spec: InstanceSpec, options: { readonly signal: AbortSignal }): Promise<void> {
    checkSpec(spec);
    if (spec.ports.some(({ protocol }) => protocol === "udp")) {
      throw new SeedmintError(
        "invalid",
        `Cannot create ${spec.leaseId}: ports of UDP cannot be published on Proxmox`,
      );
    }
    await this.prepare(spec.image, options);
    const template = `${this.#options.templateStorage}:vztmpl/${await this.#templates.nameOf(
      spec.image,
    )}`;
    await this.#hold(spec.leaseId, async () => {
      const [there] = await this.#find(spec.leaseId);
      if (there?.record?.phase === "made") {
        if (isRecordOf(there.record, spec)) return;
        throw new SeedmintError(
          "conflict",
          `Cannot create ${spec.leaseId}: another lease of that name is on the node; destroy it first`,
        );
      }
      await this.#wipe(spec.leaseId);
      options.signal.throwIfAborted();
      try {
        await this.#make(spec, template);
      } catch (error) {
        await this.#wipe(spec.leaseId).catch(() => {});
        throw error;
      }
    });
  }

  async start(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => await this.#start(await this.#existing(leaseId)));
  }

  async restart(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => {
      const found = await this.#existing(leaseId);
      if (found.status === "running") await this.#do(found, "stop");
      await this.#start({ ...found, status: "stopped" });
    });
  }

  /** Freezes it by a checkpoint, which Proxmox itself calls experimental. */
  async pause(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => {
      const found = await this.#existing(leaseId);
      if (found.record.isPaused || found.status !== "running") return;
      await this.#do(found, "suspend");
      await this.#write(found, { ...found.record, isPaused: true });
    });
  }

  async resume(leaseId: string): Promise<void> {
    await this.#hold(leaseId, async () => {
      const found = await this.#existing(leaseId);
      if (!found.record.isPaused) return;
      await this.#do(found, "resume");
      await this.#write(found, { ...found.record, isPaused: false });
    });
  }

  async destroy(leaseId: string): Promise<void> {
    checkLeaseId(leaseId);
    await this.#hold(leaseId, () => this.#wipe(leaseId));
  }

  /** Destroys what is past its end, unless it was extended meanwhile. @returns Whether it did. */
  async destroyExpired(leaseId: string, graceMs: number): Promise<boolean> {
    checkLeaseId(leaseId);
    return await this.#hold(leaseId, async () => {
      const [found] = await this.#find(leaseId);
      if (found?.record === undefined) return false;
      if (this.#options.clock.nowMs() < found.record.expiresMs + graceMs) return false;
      try {
        const ending: LeaseRecord = { ...found.record, phase: "ending" };
        await this.#write({ ...found, record: found.record }, ending, found.digest);
      } catch (error) {
        if (isSeedmintError(error, "conflict")) return false;
        throw error;
      }
      await this.#wipe(leaseId);
      return true;
    });
  }

  async state(leaseId: string): Promise<InstanceState> {
    try {
      checkLeaseId(leaseId);
      const [found] = await this.#find(leaseId);
      return found === undefined ? "absent" : stateOf(found);
    } catch (error) {
      if (isSeedmintError(error)) return "unknown";
      throw error;
    }
  }

  async extend(leaseId: string, expiresMs: number): Promise<void> {
    await this.#hold(leaseId, async () => {
      const found = await this.#existing(leaseId);
      await this.#write(found, { ...found.record, expiresMs });
    });
  }

  /** Proxmox counts no processor time and no processes: what it does not tell is 0. */
  async stats(leaseId: string): Promise<InstanceStats> {
    const { vmid, status } = await this.#existing(leaseId);
    const now = await this.#api.get<
      { mem?: number; disk?: number; netin?: number; netout?: number }
    >(`${this.#node}/lxc/${vmid}/status/current`);
    const mib = (bytes = 0) => Math.ceil(bytes / (1024 * 1024));
    return {
      cpuMs: 0,
      memoryMb: mib(now.mem),
      pidCount: status === "running" ? 1 : 0,
      diskMb: mib(now.disk),
      rxBytes: now.netin ?? 0,
      txBytes: now.netout ?? 0,
    };
  }

  async logs(leaseId: string): Promise<string> {
    await this.#existing(leaseId);
    throw notThere(leaseId, "tell what it printed");
  }

  async exec(leaseId: string): Promise<ExecResult> {
    await this.#existing(leaseId);
    throw notThere(leaseId, "run a command in it");
  }

  async list(): Promise<readonly InstanceSummary[]> {
    return (await this.#all()).map((found) => ({
      leaseId: found.leaseId,
      owner: found.record?.owner ?? "",
      expiresMs: found.record?.expiresMs ?? 0,
      // Whose it is cannot be told; that it is here must be.
      state: found.record === undefined ? "unknown" : stateOf(found),
    }));
  }

  /** Removes templates of images that are not in `keep`: containers do without, once they are made. */
  async prune(keep: ReadonlySet<string>): Promise<void> {
    const kept = new Set([...keep].map((digest) => digest.slice(0, TEMPLATE_DIGEST_CHARS)));
    await this.#hold("templates", async () => {
      for (const volid of await this.#volumes()) {
        const [, digest] = /\/seedmint-([0-9a-f]+)-[0-9a-f]{8}\.tar\.gz$/.exec(volid) ?? [];
        if (digest === undefined || kept.has(digest)) continue;
        const content = `${this.#node}/storage/${this.#options.templateStorage}/content`;
        await this.#api.task("DELETE", `${content}/${encodeURIComponent(volid)}`);
      }
    });
  }

  /** Leaves the leases running; connections to them end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#lanes.values());
    this.#forwarder?.[Symbol.dispose]();
  }

  async #volumes(): Promise<readonly string[]> {
    const content = await this.#api.get<readonly { volid: string }[]>(
      `${this.#node}/storage/${this.#options.templateStorage}/content?content=vztmpl`,
    );
    return content.map(({ volid }) => volid);
  }

  async #make(spec: InstanceSpec, template: string): Promise<void> {
    const { random, storage } = this.#options;
    const form = containerForm(
      spec,
      {
        ...{ template, storage, random, tags: `seedmint;${this.#tag}` },
        bridge: this.#options.bridge ?? "vmbr0",
        network: this.#network,
        nameServers: this.#options.nameServers ?? NAME_SERVERS,
        bandwidthBytesPerS: this.#options.bandwidthBytesPerS,
      } satisfies ContainerOptions,
    );
    for (let tries = 1;; tries++) {
      const vmid = Number(await this.#api.get<string>("/cluster/nextid"));
      try {
        await this.#api.task("POST", `${this.#node}/lxc`, { ...form, vmid });
        break;
      } catch (error) {
        // Somebody else took the number meanwhile.
        if (!isSeedmintError(error, "conflict") || tries === NUMBER_TRIES_MAX) throw error;
      }
    }
    const found = (await this.#find(spec.leaseId))[0];
    if (found?.record === undefined) {
      throw new SeedmintError("unavailable", `Cannot create ${spec.leaseId}: it is not there`);
    }
    const firewall = `${this.#node}/lxc/${found.vmid}/firewall`;
    for (const [pos, rule] of firewallRules(spec).entries()) {
      await this.#api.call("POST", `${firewall}/rules`, { ...rule, pos });
    }
    await this.#api.call("PUT", `${firewall}/options`, FIREWALL_OPTIONS);
    this.#publish(found.record);
    await this.#write({ ...found, record: found.record }, { ...found.record, phase: "made" });
  }

  async #start(found: Found & { readonly record: LeaseRecord }): Promise<void> {
    this.#publish(found.record);
    if (found.record.isPaused) await this.#write(found, { ...found.record, isPaused: false });
    if (found.status !== "running") await this.#do(found, "start");
  }

  /** A port that something else took meanwhile keeps the others from nobody. */
  #publishAgain(record: LeaseRecord): void {
    try {
      this.#publish(record);
    } catch (error) {
      if (!isSeedmintError(error)) throw error;
    }
  }

  #publish(record: LeaseRecord): void {
    const address = addressOf(this.#network, record.hostPort);
    this.#forwarder?.add({ hostPort: record.hostPort, address, port: SSH_PORT_INSIDE });
    for (const { hostPort, containerPort } of record.ports) {
      this.#forwarder?.add({ hostPort, address, port: containerPort });
    }
  }

  async #wipe(leaseId: string): Promise<void> {
    for (let tries = 1;; tries++) {
      const all = await this.#find(leaseId);
      if (all.length === 0) return;
      try {
        for (const { vmid, record } of all) {
          const fields = { force: 1, purge: 1, "destroy-unreferenced-disks": 1 };
          await this.#api.task("DELETE", `${this.#node}/lxc/${vmid}`, fields);
          if (record === undefined) continue;
          for (const { hostPort } of [record, ...record.ports]) this.#forwarder?.remove(hostPort);
        }
      } catch (error) {
        // Another task has it in hand, or took it away.
        if (!isSeedmintError(error) || error.code === "denied" || tries === DESTROY_TRIES_MAX) {
          throw error;
        }
      }
      await this.#options.clock.sleep(POLL_MS);
    }
  }

  async #do(found: Found, what: "start" | "stop" | "suspend" | "resume"): Promise<void> {
    await this.#api.task("POST", `${this.#node}/lxc/${found.vmid}/status/${what}`);
  }

  async #write(found: Found, record: LeaseRecord, digest?: string): Promise<void> {
    await this.#api.call("PUT", `${this.#node}/lxc/${found.vmid}/config`, {
      description: writeRecord(record),
      digest,
    });
  }

  async #existing(leaseId: string): Promise<Found & { readonly record: LeaseRecord }> {
    checkLeaseId(leaseId);
    const [found] = await this.#find(leaseId);
    if (found?.record?.phase === "made") return { ...found, record: found.record };
    throw new SeedmintError("not-found", `Cannot find ${leaseId}: no such lease is on the node`);
  }

  async #find(leaseId: string): Promise<readonly Found[]> {
    return await this.#read((await this.#listed()).filter(({ name }) => name === leaseId));
  }

  async #all(): Promise<readonly Found[]> {
    return await this.#read(await this.#listed());
  }

  /** Absence is told by the list alone: of a container that is gone, the rest says only that it failed. */
  async #listed(): Promise<readonly Listed[]> {
    const all = await this.#api.get<readonly Listed[]>(`${this.#node}/lxc`);
    return all.filter(({ tags }) => (tags ?? "").split(/[;, ]/).includes(this.#tag));
  }

  async #read(listed: readonly Listed[]): Promise<readonly Found[]> {
    const found: Found[] = [];
    for (let from = 0; from < listed.length; from += CONFIG_PARALLEL) {
      const part = listed.slice(from, from + CONFIG_PARALLEL).map(async (one): Promise<Found> => {
        const config = await this.#api.get<{ description?: string; digest?: string }>(
          `${this.#node}/lxc/${one.vmid}/config`,
        );
        return {
          vmid: Number(one.vmid),
          leaseId: one.name ?? "",
          status: one.status ?? "",
          record: readRecord(config.description),
          digest: config.digest,
        };
      });
      found.push(...await Promise.all(part));
    }
    return found;
  }

  get #node(): string {
    return `/nodes/${this.#options.node}`;
  }

  get #network(): string {
    return this.#options.network ?? "10.213";
  }

  /** One piece of work on a lease at a time. */
  async #hold<T>(lane: string, work: () => Promise<T>): Promise<T> {
    const before = this.#lanes.get(lane) ?? Promise.resolve();
    const mine = before.then(work, work);
    const tail = mine.catch(() => {});
    this.#lanes.set(lane, tail);
    try {
      return await mine;
    } finally {
      if (this.#lanes.get(lane) === tail) this.#lanes.delete(lane);
    }
  }
}

function stateOf(found: Found): "running" | "stopped" | "unknown" {
  if (found.status === "running") return "running";
  return found.status === "stopped" ? "stopped" : "unknown";
}

function orNone(error: unknown): readonly Found[] {
  if (isSeedmintError(error)) return [];
  throw error;
}

function notThere(leaseId: string, what: string): SeedmintError {
  return new SeedmintError(
    "unavailable",
    `Cannot ${what}: ${leaseId} is on Proxmox, whose interface has no way to; log in by SSH`,
  );
}
