/**
 * A node of Proxmox VE in this process, as far as leases use its interface: token, containers with
 * configurations and their digests, tasks, storages, uploads with checksums, the firewall, and the errors as
 * Proxmox words them (pve-container 6.1.10, pve-storage 9.1.7). No Proxmox was ever asked whether it is so:
 * there is none that tests could start.
 */
import { createHash } from "node:crypto";

/** A container. */
export interface FakeContainer {
  readonly config: Record<string, string>;
  status: "running" | "stopped";
  readonly rules: Record<string, string>[];
  firewall: Record<string, string>;
}

/** What opens the node. */
export const TOKEN = "lender@pve!seedmint=00000000-1111-2222-3333-444444444444";

// deno-lint-ignore no-control-regex -- the pattern of Proxmox
const ENV_LINE = /^\w+=[^\x00-\x08\x0a-\x1f\x7f]*$/;

const JSON_TYPE = { "content-type": "application/json" };

/** The node, named `pve`. */
export class FakePve implements AsyncDisposable {
  readonly containers = new Map<number, FakeContainer>();
  /** Templates on `local`, by name, with their bytes. */
  readonly templates = new Map<string, Uint8Array>();
  readonly calls: string[] = [];
  version = "9.1.2";
  /** Answers some requests in another way. */
  fault: (method: string, path: string) => number | "never" | undefined = () => undefined;
  /** How the next tasks end. */
  exitStatus = "OK";
  /** Called before a container's configuration is written. */
  beforeWrite: (vmid: number) => void = () => {};
  /** Whether `nextid` gives a number that is taken. */
  isNumberTaken = false;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #over = new AbortController();
  #taskCount = 0;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.abort();
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const path = decodeURIComponent(url.pathname).replace(/^\/api2\/json/, "");
    this.calls.push(`${request.method} ${path}`);
    const fault = this.fault(request.method, path);
    if (fault === "never") {
      await new Promise((resolve) => this.#over.signal.addEventListener("abort", resolve));
    }
    if (typeof fault === "number") return refusal(fault, "broken on purpose");
    if (request.headers.get("authorization") !== `PVEAPIToken=${TOKEN}`) {
      return refusal(401, "no tokenid specified");
    }
    const isUpload = request.headers.get("content-type")?.startsWith("multipart/") === true;
    if (isUpload) return await this.#upload(await request.formData());
    const fields: Record<string, string> = Object.fromEntries([
      ...url.searchParams,
      ...new URLSearchParams(request.body === null ? "" : await request.text()),
    ]);
    const [, vmid, rest = ""] = /^\/nodes\/pve\/lxc\/(\d+)(.*)$/.exec(path) ?? [];
    if (vmid !== undefined) return this.#container(request.method, Number(vmid), rest, fields);
    return this.#node(request.method, path, fields);
  }

  #node(method: string, path: string, fields: Record<string, string>): Response {
    switch (`${method} ${path}`) {
      case "GET /version":
        return data({ version: this.version });
      case "GET /nodes/pve/status":
        return data({ cpuinfo: { cpus: 8 }, memory: { total: 16 * 2 ** 30 } });
      case "GET /nodes/pve/storage/disks/status":
        return data({ avail: 100 * 2 ** 30 });
      case "GET /nodes/pve/qemu":
        return data([{ vmid: 9000, cpus: 2, maxmem: 2 ** 30, maxdisk: 2 ** 30 }]);
      case "GET /nodes/pve/lxc":
        return data([...this.containers].map(([vmid, { config, status }]) => ({
          ...{ vmid, status, name: config.hostname, tags: config.tags },
          maxdisk: Number(config.rootfs?.split(":")[1]) * 2 ** 30,
        })));
      case "GET /cluster/nextid":
        return data(String(this.isNumberTaken ? 100 : this.#free()));
      case "GET /nodes/pve/storage/local/content":
        return data([...this.templates.keys()].map((name) => ({ volid: `local:vztmpl/${name}` })));
      case "POST /nodes/pve/lxc":
        return this.#create(fields);
    }
    const [, volume] = /^\/nodes\/pve\/storage\/local\/content\/local:vztmpl\/(.+)$/.exec(path) ??
      [];
    if (method === "DELETE" && volume !== undefined) {
      if (!this.templates.delete(volume)) return refusal(500, "volume does not exist");
      return this.#task();
    }
    if (/^GET \/nodes\/pve\/tasks\/UPID:.*\/status$/.test(`${method} ${path}`)) {
      return data({ status: "stopped", exitstatus: this.exitStatus });
    }
    return refusal(501, `Method '${method} ${path}' not implemented`);
  }

  #create({ vmid: number, ...config }: Record<string, string>): Response {
    const vmid = Number(number);
    const known =
      /^(ostemplate|ostype|hostname|description|tags|unprivileged|onboot|cores|cpulimit)$|^(memory|swap|rootfs|net0|nameserver|entrypoint|env)$/;
    const unknown = Object.keys(config).find((name) => !known.test(name));
    if (unknown !== undefined) {
      return refusal(400, "Parameter verification failed.", {
        [unknown]: "property is not defined",
      });
    }
    if (!/^[\w-]+:\d+(\.\d+)?$/.test(config.rootfs ?? "")) {
      return refusal(400, "Parameter verification failed.", { rootfs: "invalid format" });
    }
    const isWhole = config.env!.split("\0").every((line) => ENV_LINE.test(line));
    if (!isWhole) {
      return refusal(400, "Parameter verification failed.", { env: "value does not match" });
    }
    if (!this.templates.has(config.ostemplate!.replace("local:vztmpl/", ""))) {
      return refusal(500, `volume '${config.ostemplate}' does not exist`);
    }
    if (this.containers.has(vmid)) {
      this.isNumberTaken = false;
      return refusal(500, `unable to create CT ${vmid} - CT ${vmid} already exists on node 'pve'`);
    }
    if (this.exitStatus === "OK") {
      this.containers.set(vmid, { config, status: "stopped", rules: [], firewall: {} });
    }
    return this.#task();
  }

  #container(
    method: string,
    vmid: number,
    rest: string,
    fields: Record<string, string>,
  ): Response {
    const container = this.containers.get(vmid);
    if (container === undefined) {
      return refusal(500, `Configuration file 'nodes/pve/lxc/${vmid}.conf' does not exist`);
    }
    switch (`${method} ${rest}`) {
      case "GET /config":
        // A description comes back with the end of its line.
        return data({
          ...container.config,
          description: `${container.config.description}\n`,
          digest: digestOf(container),
        });
      case "PUT /config": {
        this.beforeWrite(vmid);
        const { digest, ...more } = fields;
        if (digest !== undefined && digest !== digestOf(container)) {
          return refusal(500, "detected modified configuration - file changed by other user?");
        }
        Object.assign(container.config, more);
        return data(null);
      }
      case "GET /status/current":
        return data({ status: container.status, mem: 2 ** 20, disk: 2 ** 21, netin: 5, netout: 6 });
      case "POST /status/start":
        if (container.status === "running") return refusal(500, `CT ${vmid} already running`);
        container.status = "running";
        return this.#task();
      case "POST /status/stop":
        container.status = "stopped";
        return this.#task();
      case "POST /status/suspend":
      case "POST /status/resume":
        return this.#task();
      case "POST /firewall/rules":
        container.rules.splice(Number(fields.pos ?? 0), 0, fields);
        return data(null);
      case "PUT /firewall/options":
        container.firewall = fields;
        return data(null);
      case "DELETE ":
        if (container.status === "running" && fields.force !== "1") {
          return refusal(500, `unable to destroy CT ${vmid} - container is running`);
        }
        this.containers.delete(vmid);
        return this.#task();
    }
    return refusal(501, `Method '${method} ${rest}' not implemented`);
  }

  async #upload(form: FormData): Promise<Response> {
    const file = form.get("filename");
    if (!(file instanceof File) || form.get("content") !== "vztmpl") {
      return refusal(400, "Parameter verification failed.");
    }
    const bytes = await file.bytes();
    const digest = createHash("sha256").update(bytes).digest("hex");
    if (form.get("checksum-algorithm") !== "sha256" || form.get("checksum") !== digest) {
      return refusal(500, "checksum mismatch");
    }
    this.templates.set(file.name, bytes);
    return this.#task();
  }

  #free(): number {
    let vmid = 100;
    while (this.containers.has(vmid)) vmid++;
    return vmid;
  }

  #task(): Response {
    const count = (++this.#taskCount).toString(16).padStart(8, "0").toUpperCase();
    return data(`UPID:pve:${count}:00000001:00000002:vzcreate:100:lender@pve!seedmint:`);
  }
}

function digestOf(container: FakeContainer): string {
  return createHash("sha1").update(JSON.stringify(container.config)).digest("hex");
}

function data(value: unknown): Response {
  return new Response(JSON.stringify({ data: value }), { headers: JSON_TYPE });
}

function refusal(status: number, message: string, errors?: Record<string, string>): Response {
  const body = { data: null, message: `${message}\n`, ...(errors === undefined ? {} : { errors }) };
  return new Response(JSON.stringify(body), { status, headers: JSON_TYPE });
}
