/**
 * Network namespaces for tests: hosts, routers and links of their own, with no way out. Needs root and
 * the programs `ip` and `nft`; {@link netnsMissing} says what is not there.
 */

/** Why no namespaces can be made here, or undefined if they can. */
export async function netnsMissing(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "network namespaces are a thing of Linux";
  if (Deno.uid() !== 0) return "root is needed to make network namespaces";
  for (const program of ["ip", "nft"]) {
    try {
      await new Deno.Command(program, { args: ["-V"], stdout: "null", stderr: "null" }).output();
    } catch {
      return `the program ${program} is missing: run tests/interop/install_netns.sh`;
    }
  }
  const probe = `sm-probe-${Deno.pid}`;
  try {
    await run("ip", ["netns", "add", probe]);
    await run("ip", ["netns", "del", probe]);
  } catch (error) {
    return `the kernel refused a namespace: ${(error as Error).message}`;
  }
  return undefined;
}

/** A set of namespaces that is gone after the test, with all that ran in them. */
export class NetLab implements AsyncDisposable {
  readonly #prefix = `sm${Deno.pid}`;
  readonly #namespaces: string[] = [];
  readonly #programs: LabProgram[] = [];
  #linkCount = 0;

  /** Makes a host with nothing but loopback. */
  async host(name: string): Promise<string> {
    const namespace = `${this.#prefix}-${name}`;
    await run("ip", ["netns", "add", namespace]);
    this.#namespaces.push(namespace);
    await this.exec(namespace, "ip link set lo up");
    return namespace;
  }

  /** Makes a switch that hosts can be plugged into. */
  async lan(name: string): Promise<string> {
    const namespace = await this.host(name);
    await this.exec(namespace, "ip link add br0 type bridge");
    await this.exec(namespace, "ip link set br0 up");
    return namespace;
  }

  /** Plugs `host` into `lan` with `address` (CIDR); returns the name of its interface. */
  async plug(host: string, lan: string, address: string): Promise<string> {
    const index = this.#linkCount++;
    const [near, far] = [`eth${index}`, `port${index}`];
    await this.exec(host, `ip link add ${near} type veth peer name ${far} netns ${lan}`);
    await this.exec(lan, `ip link set ${far} master br0 up`);
    await this.exec(host, `ip address add ${address} dev ${near}`);
    await this.exec(host, `ip link set ${near} up`);
    return near;
  }

  /** Makes `router` translate what it forwards out of `outside`, and let nothing new in. */
  async nat(router: string, outside: string): Promise<void> {
    const forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
    await run("ip", ["netns", "exec", router, "sh", "-c", forward]);
    await this.exec(router, "nft add table ip nat");
    await this.exec(
      router,
      "nft add chain ip nat post { type nat hook postrouting priority 100 ; }",
    );
    await this.exec(
      router,
      "nft add chain ip nat pre { type nat hook prerouting priority -100 ; }",
    );
    await this.exec(router, `nft add rule ip nat post oifname ${outside} masquerade`);
    await this.exec(router, "nft add table ip filter");
    await this.exec(
      router,
      "nft add chain ip filter forward { type filter hook forward priority 0 ; policy accept ; }",
    );
    await this.exec(
      router,
      `nft add rule ip filter forward iifname ${outside} ct status dnat accept`,
    );
    await this.exec(
      router,
      `nft add rule ip filter forward iifname ${outside} ct state new drop`,
    );
  }

  /** Forwards a TCP port that arrives at `outside` to a host behind `router`. */
  async forward(router: string, outside: string, port: number, to: string): Promise<void> {
    await this.exec(
      router,
      `nft add rule ip nat pre iifname ${outside} tcp dport ${port} dnat to ${to}:${port}`,
    );
  }

  /** Runs one command line in a namespace; words are split at spaces. */
  async exec(namespace: string, commandLine: string): Promise<void> {
    await run("ip", ["netns", "exec", namespace, ...commandLine.split(" ")]);
  }

  /** Starts a Deno program in a namespace; each line that it prints is one JSON object. */
  start(namespace: string, args: readonly string[]): LabProgram {
    const child = new Deno.Command("ip", {
      args: ["netns", "exec", namespace, Deno.execPath(), ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const program = new LabProgram(child);
    this.#programs.push(program);
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) await program.kill();
    for (const namespace of this.#namespaces.reverse()) {
      await run("ip", ["netns", "del", namespace]).catch(() => {});
    }
  }
}

/** A program in a namespace. */
export class LabProgram {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #errors: Promise<string>;
  #rest = "";

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#errors = new Response(child.stderr).text();
  }

  /**
   * The next object whose `event` is `event`; others are passed over.
   *
   * @throws {Error} If the program ends before, with what it wrote to stderr.
   */
  async next(event: string): Promise<Record<string, unknown>> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const object = JSON.parse(this.#rest.slice(0, end)) as Record<string, unknown>;
        this.#rest = this.#rest.slice(end + 1);
        if (object["event"] === event) return object;
        continue;
      }
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`No "${event}" before the program ended: ${await this.#errors}`);
      this.#rest += value;
    }
  }

  /** Ends the program at once, if it did not end by itself. */
  async kill(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It ended by itself.
    }
    while (!(await this.#lines.read()).done);
    await this.#errors;
    await this.#child.status;
  }
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
  }
}
