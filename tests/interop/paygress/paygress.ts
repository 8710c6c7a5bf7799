/** The program paygress-cli as its users have it: verbs, what they print, and SSH by password. */
import { join } from "node:path";

/** No verb of its takes longer by itself: it waits a minute for a provider. */
const VERB_S_MAX = 90;

/** How a verb ended. */
export interface Spoken {
  readonly code: number;
  /** What it printed, without colours. */
  readonly out: string;
  readonly err: string;
}

/** One user of it, with a home and so a key of its own. */
export class PaygressUser {
  readonly #program: string;
  readonly #home: string;

  constructor(program: string, home: string) {
    this.#program = program;
    this.#home = home;
  }

  /** Runs a verb to its end. */
  async run(...args: string[]): Promise<Spoken> {
    await Deno.mkdir(this.#home, { recursive: true });
    const { code, stdout, stderr } = await new Deno.Command("timeout", {
      args: ["--kill-after=5", String(VERB_S_MAX), this.#program, ...args],
      env: { HOME: this.#home, NO_COLOR: "1", RUST_LOG: "warn" },
      stdin: "null",
    }).output();
    return { code, out: plain(stdout), err: plain(stderr) };
  }
}

/** Where its spawn says that SSH is. */
export interface Login {
  readonly user: string;
  readonly password: string;
  readonly host: string;
  readonly port: number;
}

/** What a user reads in the instructions that it prints. @throws {Error} If they do not tell. */
export function loginIn(text: string): Login {
  const user = /Username: (\S+)/.exec(text)?.[1];
  const password = /Password: (\S+)/.exec(text)?.[1];
  const [, port, host] = /ssh -p (\d+) \S+@(\S+)/.exec(text) ?? [];
  if (user === undefined || password === undefined || host === undefined) {
    throw new Error(`These instructions tell no way in: ${text}`);
  }
  return { user, password, host, port: Number(port) };
}

/** Runs a command by OpenSSH with a password, as who has no key does. @returns What it printed. */
export async function sshByPassword(
  login: Login,
  command: string,
  folder: string,
): Promise<string> {
  const asking = join(folder, "askpass");
  await Deno.writeTextFile(asking, '#!/bin/sh\nprintf "%s\\n" "$LAB_PASSWORD"\n', { mode: 0o700 });
  const { code, stdout, stderr } = await new Deno.Command("timeout", {
    args: [
      ...["--kill-after=5", "30", "ssh", "-F", "none", "-p", String(login.port)],
      ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"],
      ...["-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1"],
      ...["-o", "LogLevel=ERROR", `${login.user}@${login.host}`, command],
    ],
    env: {
      SSH_ASKPASS: asking,
      SSH_ASKPASS_REQUIRE: "force",
      DISPLAY: "none",
      LAB_PASSWORD: login.password,
    },
    stdin: "null",
  }).output();
  if (code !== 0) throw new Error(`ssh: exit code ${code}: ${plain(stderr)}`);
  return plain(stdout);
}

function plain(bytes: Uint8Array): string {
  // deno-lint-ignore no-control-regex
  return new TextDecoder().decode(bytes).replaceAll(/\x1b\[[0-9;]*m/g, "");
}
