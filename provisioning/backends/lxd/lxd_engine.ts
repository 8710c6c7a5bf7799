/**
 * LXD or Incus. Instances are unprivileged, as these servers make them; their users are found out with
 * an instance that never runs. Our root is mounted twice over an instance's own, because a start takes
 * the uppermost mount off first, whatever it is.
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import { isThere } from "../../machine/mod.ts";
import type { ExecResult } from "../../ports.ts";
import {
  type ContainerLook,
  containerName,
  type ContainerOrder,
  type ContainerSummary,
  type Engine,
  type EngineCommand,
  type EngineFacts,
  type ExecOptions,
} from "../engine/mod.ts";
import { emptyImage } from "./empty_image.ts";
import { environmentOf, runExec } from "./exec.ts";
import { bareInstance, instanceBody, LABEL, type Place } from "./instance.ts";
import { LOOK_MS_MAX } from "./limits.ts";
import { LxdHttp } from "./lxd_http.ts";

/** What of the server's facts is read. */
interface ServerFacts {
  readonly environment?: { readonly server_version?: string; readonly server_name?: string };
  readonly auth?: string;
}

/** What of an instance is read. */
interface Instance {
  readonly name: string;
  readonly status: string;
  readonly config?: Readonly<Record<string, string>>;
}

/** LXD or Incus behind its socket. */
export class LxdEngine implements Engine {
  readonly name: "lxd" | "incus";
  readonly #http: LxdHttp;
  readonly #stateDir: string;
  /** Where the server mounts its pools. */
  readonly #poolsDir: string;
  readonly #tag: string;
  readonly #pool: string;
  #place: Promise<Place> | undefined;
  #userMap: string | undefined;

  constructor(options: {
    readonly engine: "lxd" | "incus";
    readonly socketPath: string;
    readonly stateDir: string;
    /** Tells this provider's own things from another's. */
    readonly tag: string;
  }) {
    this.name = options.engine;
    this.#http = new LxdHttp(options.engine, options.socketPath);
    this.#stateDir = options.stateDir;
    this.#poolsDir = `${dirname(options.socketPath)}/storage-pools`;
    this.#tag = options.tag;
    this.#pool = `seedmint-${options.tag}`;
  }

  async facts(): Promise<EngineFacts> {
    const facts = await this.#http.find("/1.0", { timeoutMs: LOOK_MS_MAX }) as ServerFacts;
    const description = `${this.name} ${facts.environment?.server_version ?? "?"}`;
    if (facts.auth === "trusted") return { description };
    return {
      description,
      problem: `${this.name} does not trust this user: run as root or in its group`,
    };
  }

  async ready(): Promise<{ readonly idBase: number }> {
    const place = await this.#placed();
    // Never started: only to see which users its root and the others get.
    const name = `seedmint-probe-${this.#tag}`;
    await this.#delete(name);
    await this.#http.does("POST", "/1.0/instances", { body: bareInstance(name, place) });
    try {
      const map = await this.#mapOf(name);
      this.#userMap = map;
      return { idBase: idBaseOf(map) };
    } finally {
      await this.#delete(name);
    }
  }

  async create(order: ContainerOrder, options: { readonly signal: AbortSignal }): Promise<void> {
    const place = { ...await this.#placed(), engine: this.name, tag: this.#tag };
    const body = instanceBody(order, place);
    await this.#http.does("POST", "/1.0/instances", { body, signal: options.signal });
    const map = await this.#mapOf(this.#nameOf(order.leaseId));
    if (map !== (this.#userMap ?? map) || idBaseOf(map) !== order.idBase) {
      throw new SeedmintError(
        "unavailable",
        `Cannot create ${order.leaseId}: ${this.name} gives it other users than before`,
        { retryable: true },
      );
    }
    // Our root has these owners: nothing needs to be changed when it starts.
    await this.#patch(order.leaseId, { "volatile.last_state.idmap": map });
  }

  async rootTargets(leaseId: string): Promise<readonly string[]> {
    const name = this.#nameOf(leaseId);
    const root = `${this.#poolsDir}/${this.#pool}/containers/${name}/rootfs`;
    if (!await isThere(root)) {
      throw new SeedmintError(
        "unavailable",
        `Cannot find ${root}: ${this.name} runs with mounts of its own (as a snap does) or its socket lies elsewhere; use the package of the distribution`,
      );
    }
    return [root, root];
  }

  async start(leaseId: string): Promise<void> {
    await this.#put(leaseId, { action: "start", timeout: 30 });
  }

  async look(leaseId: string): Promise<ContainerLook> {
    const path = `/1.0/instances/${this.#nameOf(leaseId)}/state`;
    const state = await this.#http.find(path, { timeoutMs: LOOK_MS_MAX }) as
      | { readonly status: string; readonly pid: number }
      | undefined;
    if (state === undefined) return { status: "none", pid: 0 };
    const status = statusOf(state.status);
    if (status === "unknown") {
      throw new SeedmintError("unavailable", `Cannot tell what ${leaseId} does`, {
        retryable: true,
      });
    }
    return { status, pid: state.pid };
  }

  async kill(leaseId: string): Promise<void> {
    try {
      await this.#put(leaseId, { action: "stop", force: true, timeout: 30 });
    } catch (error) {
      // It ended by itself, or is ending.
      if (!isSeedmintError(error) || /Cannot reach/.test(error.message)) throw error;
    }
  }

  async remove(leaseId: string): Promise<void> {
    await this.#delete(this.#nameOf(leaseId));
  }

  async pause(leaseId: string): Promise<void> {
    await this.#put(leaseId, { action: "freeze", timeout: 30 });
  }

  async resume(leaseId: string): Promise<void> {
    await this.#put(leaseId, { action: "unfreeze", timeout: 30 });
  }

  async noteEnd(leaseId: string, expiresMs: number): Promise<void> {
    await this.#patch(leaseId, { [`${LABEL}.expires`]: String(expiresMs) });
  }

  async spawn(leaseId: string, command: EngineCommand): Promise<void> {
    await this.#http.begins("POST", `/1.0/instances/${this.#nameOf(leaseId)}/exec`, {
      body: {
        command: command.args,
        environment: environmentOf(command.env),
        cwd: command.cwd,
        user: command.uid,
        group: command.gid,
        interactive: false,
        "wait-for-websocket": false,
        "record-output": false,
      },
    });
  }

  exec(leaseId: string, command: readonly string[], options: ExecOptions): Promise<ExecResult> {
    return runExec(this.#http, this.#nameOf(leaseId), command, options);
  }

  async list(): Promise<readonly ContainerSummary[]> {
    const found = await this.#http.find("/1.0/instances?recursion=1", {
      timeoutMs: LOOK_MS_MAX,
    }) as readonly Instance[] | undefined;
    if (!Array.isArray(found)) {
      throw new SeedmintError("unavailable", `${this.name} lists its instances in no known form`);
    }
    return (found as readonly Instance[]).flatMap(({ config = {}, status }) => {
      const leaseId = config[`${LABEL}.lease`];
      if (leaseId === undefined || config[`${LABEL}.provider`] !== this.#tag) return [];
      const state = statusOf(status);
      return [{
        leaseId,
        owner: config[`${LABEL}.owner`] ?? "",
        expiresMs: Number(config[`${LABEL}.expires`] ?? 0) || 0,
        hostPort: Number(config[`${LABEL}.port`] ?? 0) || 0,
        state: state === "paused" ? "running" as const : state,
      }];
    });
  }

  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]();
  }

  async #put(leaseId: string, body: object): Promise<void> {
    await this.#http.does("PUT", `/1.0/instances/${this.#nameOf(leaseId)}/state`, { body });
  }

  async #patch(leaseId: string, config: Readonly<Record<string, string>>): Promise<void> {
    await this.#http.does("PATCH", `/1.0/instances/${this.#nameOf(leaseId)}`, { body: { config } });
  }

  #nameOf(leaseId: string): string {
    return containerName(this.#tag, leaseId);
  }

  async #delete(name: string): Promise<void> {
    try {
      await this.#http.does("DELETE", `/1.0/instances/${name}`);
    } catch (error) {
      if (!isSeedmintError(error, "not-found")) throw error;
    }
  }

  async #mapOf(name: string): Promise<string> {
    const found = await this.#http.find(`/1.0/instances/${name}`) as Instance | undefined;
    const map = found?.config?.["volatile.idmap.next"];
    if (map !== undefined) return map;
    throw new SeedmintError("unavailable", `${this.name} does not say which users ${name} has`);
  }

  async #placed(): Promise<Place> {
    this.#place ??= this.#makePlace();
    try {
      return await this.#place;
    } catch (error) {
      this.#place = undefined;
      throw error;
    }
  }

  /** The empty image, and a pool that holds no more than the instances' names. */
  async #makePlace(): Promise<Place> {
    const image = emptyImage();
    const fingerprint = createHash("sha256").update(image).digest("hex");
    if (await this.#http.find(`/1.0/images/${fingerprint}`) === undefined) {
      await this.#http.does("POST", "/1.0/images", {
        body: image,
        headers: { "content-type": "application/octet-stream" },
      });
    }
    if (await this.#http.find(`/1.0/storage-pools/${this.#pool}`) === undefined) {
      const source = `${this.#stateDir}/pool`;
      await Deno.mkdir(source, { recursive: true, mode: 0o711 });
      await this.#http.does("POST", "/1.0/storage-pools", {
        body: { name: this.#pool, driver: "dir", config: { source } },
      });
    }
    return { fingerprint, pool: this.#pool };
  }
}

/** The host's user that is root inside. @throws {SeedmintError} If it is the host's own. */
export function idBaseOf(map: string): number {
  const entries = JSON.parse(map) as {
    readonly Isuid: boolean;
    readonly Isgid: boolean;
    readonly Hostid: number;
    readonly Nsid: number;
    readonly Maprange: number;
  }[];
  const first = (isGroup: boolean) =>
    entries.find((entry) => entry.Nsid === 0 && (isGroup ? entry.Isgid : entry.Isuid));
  const [users, groups] = [first(false), first(true)];
  const isUsable = users !== undefined && groups !== undefined && users.Hostid > 0 &&
    users.Hostid === groups.Hostid && Math.min(users.Maprange, groups.Maprange) >= 65_536;
  if (isUsable) return users.Hostid;
  throw new SeedmintError(
    "unavailable",
    "Instances have too few users of their own: give root 65536 of them or more, the same in /etc/subuid and /etc/subgid, and restart the engine",
  );
}

function statusOf(status: string): "running" | "paused" | "stopped" | "unknown" {
  switch (status) {
    case "Running":
    case "Starting":
    case "Stopping":
    case "Freezing":
    case "Aborting":
    case "Ready":
      return "running";
    case "Frozen":
      return "paused";
    case "Stopped":
      return "stopped";
    default:
      return "unknown";
  }
}
