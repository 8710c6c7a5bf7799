/** A cluster of one node, as Debian's packages and the programs that were built make it. */
import { join } from "node:path";
import { commandOutput, furnish } from "../registry/lab.ts";

/** The node, and where its ports are published. */
export const NODE_ADDRESS = "10.77.0.1";
/** The registry that the node pulls from. */
export const REGISTRY = `${NODE_ADDRESS}:5000`;
const NODE = "lab-node";
const API = "https://127.0.0.1:6443";

/** How long a part of the cluster may take to answer: the disk and two cores are shared. */
const READY_MS_MAX = 120_000;

/** Credentials on the cluster. */
export interface Account {
  readonly name: string;
  readonly token: string;
}

const ADMIN: Account = { name: "admin", token: "admin-of-the-lab" };
/** May do what leases need, and nothing else. */
export const LENDER: Account = { name: "lender", token: "lender-of-the-lab" };

/** The programs of a cluster, each started by name. */
export class Cluster implements AsyncDisposable {
  readonly #directory: string;
  readonly #bin: string;
  readonly #group: string;
  readonly #running = new Map<string, Deno.ChildProcess>();

  constructor(directory: string, options: { readonly bin: string; readonly group: string }) {
    this.#directory = directory;
    this.#bin = options.bin;
    this.#group = options.group;
  }

  /** Everything but the kubelet's side, which wants images first. */
  async startPlane(): Promise<void> {
    await furnish(this.#directory);
    await this.#makeNetwork();
    await this.#makeKeys();
    await this.#startRegistry();
    const etcd = "http://127.0.0.1:2379";
    this.#start("etcd", "/usr/bin/etcd", [
      ...["--data-dir", this.#path("etcd"), "--listen-client-urls", etcd],
      ...["--advertise-client-urls", etcd, "--unsafe-no-fsync"],
    ]);
    await this.startApi();
    const access = ["--kubeconfig", this.#path("admin.json")];
    this.#start("manager", `${this.#bin}/kube-controller-manager`, [
      ...access,
      "--leader-elect=false",
      `--service-account-private-key-file=${this.#path("accounts.key")}`,
      "--controllers=namespace,resourcequota,serviceaccount,serviceaccount-token,podgc,nodelifecycle,endpoint,endpointslice",
    ]);
    this.#start("scheduler", `${this.#bin}/kube-scheduler`, [...access, "--leader-elect=false"]);
  }

  /** Also starts it again after {@link Cluster.stop}. */
  async startApi(): Promise<void> {
    this.#start("api", `${this.#bin}/kube-apiserver`, [
      "--etcd-servers=http://127.0.0.1:2379",
      ...["--bind-address=127.0.0.1", "--secure-port=6443", `--cert-dir=${this.#path("api")}`],
      `--tls-cert-file=${this.#path("api.crt")}`,
      `--tls-private-key-file=${this.#path("api.key")}`,
      "--service-account-issuer=https://lab.test",
      `--service-account-signing-key-file=${this.#path("accounts.key")}`,
      `--service-account-key-file=${this.#path("accounts.pub")}`,
      `--token-auth-file=${this.#path("tokens.csv")}`,
      ...["--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/24"],
      ...[`--advertise-address=${NODE_ADDRESS}`, "--kubelet-preferred-address-types=InternalIP"],
      ...["--service-node-port-range=30000-32767", "--event-ttl=10m"],
    ]);
    await this.#until(
      "the API server",
      async () => await this.request("GET", "/readyz").then(() => true, () => false),
    );
  }

  /** The node; `sandboxImage` is what holds a pod's namespaces. */
  async startNode(sandboxImage: string): Promise<void> {
    await this.#startContainerd(sandboxImage);
    for (const controller of await controllers()) {
      await Deno.mkdir(`/sys/fs/cgroup/${controller}/${this.#group}`, { recursive: true })
        .catch(() => {});
    }
    await this.#write("kubelet.json", {
      apiVersion: "kubelet.config.k8s.io/v1beta1",
      kind: "KubeletConfiguration",
      ...{ address: "0.0.0.0", cgroupDriver: "cgroupfs", cgroupRoot: `/${this.#group}` },
      ...{ failSwapOn: false, enforceNodeAllocatable: [], makeIPTablesUtilChains: false },
      authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
      authorization: { mode: "AlwaysAllow" },
      evictionHard: { "memory.available": "50Mi", "nodefs.available": "1Gi" },
      evictionPressureTransitionPeriod: "5s",
      ...{ oomScoreAdj: 0, podPidsLimit: 256, resolvConf: "" },
      ...{
        syncFrequency: "10s",
        nodeStatusUpdateFrequency: "5s",
        imageGCHighThresholdPercent: 100,
      },
    });
    this.#start("kubelet", `${this.#bin}/kubelet`, [
      ...[`--config=${this.#path("kubelet.json")}`, `--kubeconfig=${this.#path("admin.json")}`],
      ...[`--root-dir=${this.#path("kubelet")}`, `--cert-dir=${this.#path("kubelet-keys")}`],
      "--container-runtime=remote",
      `--container-runtime-endpoint=unix://${this.#socket}`,
      ...[`--hostname-override=${NODE}`, `--node-ip=${NODE_ADDRESS}`],
      `--pod-infra-container-image=${sandboxImage}`,
      ...["--network-plugin=cni", "--cni-bin-dir=/usr/lib/cni"],
    ]);
    this.#start("proxy", `${this.#bin}/kube-proxy`, [
      ...["--kubeconfig", this.#path("admin.json"), `--hostname-override=${NODE}`],
      ...["--proxy-mode=iptables", "--cluster-cidr=10.88.0.0/16", "--oom-score-adj=0"],
      // The host's own connection table is not ours to size.
      ...["--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0"],
      "--conntrack-tcp-timeout-close-wait=0",
    ]);
    await this.#until("the node", async () => {
      const node = await this.request("GET", `/api/v1/nodes/${NODE}`).catch(() => undefined);
      return (node?.status?.conditions ?? [])
        .some((it: { type: string; status: string }) =>
          it.type === "Ready" && it.status === "True"
        );
    });
  }

  /** A kubeconfig for an account, with the certificate of the API server in it. */
  async kubeconfig(account: Account): Promise<string> {
    const authority = await Deno.readTextFile(this.#path("authority.crt"));
    return await this.#write(`${account.name}.json`, {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{
        name: "lab",
        cluster: { server: API, "certificate-authority-data": btoa(authority) },
      }],
      users: [{ name: account.name, user: { token: account.token } }],
      contexts: [{ name: "lab", context: { cluster: "lab", user: account.name } }],
      "current-context": "lab",
    });
  }

  /** Asks the API server as its administrator, without a client of anybody's. */
  // deno-lint-ignore no-explicit-any -- answers of every kind of object
  async request(method: string, path: string, body?: unknown): Promise<any> {
    const authority = await Deno.readTextFile(this.#path("authority.crt"));
    using client = Deno.createHttpClient({ caCerts: [authority] });
    const answer = await fetch(`${API}${path}`, {
      method,
      client,
      headers: { authorization: `Bearer ${ADMIN.token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
    return text.startsWith("{") ? JSON.parse(text) : text;
  }

  /** Ends one program. */
  async stop(name: string): Promise<void> {
    const child = this.#running.get(name);
    if (child === undefined) throw new Error(`Cannot stop ${name}: it does not run`);
    this.#running.delete(name);
    child.kill("SIGKILL");
    await child.status;
  }

  /** The rest of it ends with the namespace of processes that all of it is in. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const name of [...this.#running.keys()].reverse()) await this.stop(name);
  }

  get #socket(): string {
    return this.#path("containerd.sock");
  }

  async #makeNetwork(): Promise<void> {
    for (
      const args of [
        ["link", "add", "lab0", "type", "bridge"],
        ["address", "add", `${NODE_ADDRESS}/24`, "dev", "lab0"],
        ["link", "set", "lab0", "up"],
        ["route", "add", "default", "dev", "lab0"],
      ]
    ) await commandOutput("ip", args);
    await Deno.writeTextFile("/proc/sys/net/ipv4/ip_forward", "1");
    await Deno.mkdir("/etc/cni/net.d", { recursive: true });
    await Deno.writeTextFile(
      "/etc/cni/net.d/10-lab.conflist",
      JSON.stringify({
        cniVersion: "0.4.0",
        name: "lab",
        plugins: [
          {
            ...{ type: "bridge", bridge: "cni0", isGateway: true, ipMasq: true },
            ipam: {
              type: "host-local",
              ranges: [[{ subnet: "10.88.0.0/16" }]],
              routes: [{ dst: "0.0.0.0/0" }],
              dataDir: this.#path("addresses"),
            },
          },
          { type: "portmap", capabilities: { portMappings: true } },
        ],
      }),
    );
  }

  async #makeKeys(): Promise<void> {
    const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    const [authority, authorityKey] = [this.#path("authority.crt"), this.#path("authority.key")];
    await commandOutput("openssl", [
      ...["req", "-x509", ...ec, "-keyout", authorityKey, "-out", authority, "-days", "2"],
      ...["-subj", "/CN=authority of the lab"],
    ]);
    await commandOutput("openssl", [
      ...["req", "-x509", "-CA", authority, "-CAkey", authorityKey, ...ec, "-days", "2"],
      ...[
        "-keyout",
        this.#path("api.key"),
        "-out",
        this.#path("api.crt"),
        "-subj",
        "/CN=API server",
      ],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
      ...["-addext", `subjectAltName=IP:127.0.0.1,IP:${NODE_ADDRESS},DNS:localhost`],
    ]);
    const key = this.#path("accounts.key");
    await commandOutput("openssl", ["genrsa", "-out", key, "2048"]);
    await commandOutput("openssl", [
      ...["rsa", "-in", key, "-pubout", "-out", this.#path("accounts.pub")],
    ]);
    await Deno.writeTextFile(
      this.#path("tokens.csv"),
      `${ADMIN.token},${ADMIN.name},1,"system:masters"\n${LENDER.token},${LENDER.name},2\n`,
    );
    await this.kubeconfig(ADMIN);
  }

  async #startRegistry(): Promise<void> {
    const config = this.#path("registry.json");
    await this.#write("registry.json", {
      version: 0.1,
      storage: { filesystem: { rootdirectory: this.#path("images") } },
      http: { addr: REGISTRY },
    });
    this.#start("registry", "/usr/bin/docker-registry", ["serve", config]);
    await this.#until("the registry", async () => {
      const answer = await fetch(`http://${REGISTRY}/v2/`).catch(() => undefined);
      await answer?.body?.cancel();
      return answer?.ok === true;
    });
  }

  async #startContainerd(sandboxImage: string): Promise<void> {
    const hosts = this.#path("hosts");
    await Deno.mkdir(`${hosts}/${REGISTRY}`, { recursive: true });
    await Deno.writeTextFile(
      `${hosts}/${REGISTRY}/hosts.toml`,
      `server = "http://${REGISTRY}"\n[host."http://${REGISTRY}"]\n` +
        `  capabilities = ["pull", "resolve"]\n`,
    );
    const config = this.#path("containerd.toml");
    await Deno.writeTextFile(
      config,
      `version = 2
root = "${this.#path("containerd")}"
state = "/run/lab-containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "${this.#socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${sandboxImage}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "${hosts}"
`,
    );
    this.#start("containerd", "/usr/bin/containerd", ["--config", config]);
    await this.#until(
      "containerd",
      async () => await Deno.stat(this.#socket).then(() => true, () => false),
    );
  }

  #start(name: string, program: string, args: readonly string[]): void {
    const log = this.#path(`${name}.log`);
    const child = new Deno.Command("sh", {
      args: ["-c", 'exec "$0" "$@" >>"$LAB_LOG" 2>&1', program, ...args],
      env: { LAB_LOG: log, PATH: `/usr/sbin:/usr/bin:/sbin:/bin` },
      ...{ stdin: "null", stdout: "null", stderr: "null" },
    }).spawn();
    this.#running.set(name, child);
  }

  async #until(what: string, isReady: () => Promise<boolean>): Promise<void> {
    const endMs = performance.now() + READY_MS_MAX;
    while (!await isReady()) {
      if (performance.now() > endMs) {
        throw new Error(`${what} did not get ready:\n${await this.#lastWords()}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async #lastWords(): Promise<string> {
    let text = "";
    for (const name of this.#running.keys()) {
      const log = await Deno.readTextFile(this.#path(`${name}.log`)).catch(() => "");
      text += `--- ${name}\n${log.slice(-2000)}\n`;
    }
    return text;
  }

  async #write(name: string, value: unknown): Promise<string> {
    await Deno.writeTextFile(this.#path(name), JSON.stringify(value));
    return this.#path(name);
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

/** Control groups of version 1 that the kubelet works with, as far as they are there. */
async function controllers(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/sys/fs/cgroup")) found.push(name);
  return found;
}
