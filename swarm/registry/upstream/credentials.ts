/**
 * The node's own logins, from the files in which docker and podman keep them. They are looked at again
 * when they change, so that a `docker login` needs no restart. Nothing here is ever shown.
 */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import {
  type AuthFile,
  type Credential,
  isHelperName,
  parseAuthFile,
  placesOf,
} from "./auth_file.ts";
import type { AskHelper } from "./helpers.ts";
import { AUTH_FILE_BYTES_MAX, AUTH_LOOK_MS, HELPER_ANSWERS_MAX, HELPER_KEPT_MS } from "./limits.ts";

/** Options of {@link Credentials}. */
export interface CredentialsOptions {
  /** Files in the order in which they are asked; those that are not there are left out. */
  readonly files: readonly string[];
  readonly clock: Clock;
  /** The helpers that the operator allows to be run, by the end of their names: `ecr-login`. */
  readonly helpers?: { readonly allowed: readonly string[]; readonly ask: AskHelper };
}

/** One file as it was read last. */
interface Read {
  readonly stamp: string;
  readonly content: AuthFile | undefined;
  readonly problem?: string;
}

/** What names a login: from a file, or from a helper that has to be asked. */
type Found =
  | { readonly credential: Credential }
  | { readonly helper: string; readonly server: string };

/**
 * Where credentials are looked for: only in the operator's files if any are given, else only in
 * `$REGISTRY_AUTH_FILE` if it is set, else where podman and docker keep them.
 *
 * @param env `REGISTRY_AUTH_FILE`, `XDG_RUNTIME_DIR`, `XDG_CONFIG_HOME`, `DOCKER_CONFIG`, `HOME`.
 */
export function credentialFiles(
  settings: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): readonly string[] {
  if (settings.length > 0) return settings;
  const named = env["REGISTRY_AUTH_FILE"];
  if (named) return [named];
  const home = env["HOME"];
  const below = (base: string | undefined, path: string) => base ? [`${base}/${path}`] : [];
  const files = [
    ...below(env["XDG_RUNTIME_DIR"], "containers/auth.json"),
    ...below(env["XDG_CONFIG_HOME"] || (home && `${home}/.config`), "containers/auth.json"),
    ...below(env["DOCKER_CONFIG"] || (home && `${home}/.docker`), "config.json"),
  ];
  return [...new Set(files)];
}

/** See the head of this file. */
export class Credentials {
  readonly #options: CredentialsOptions;
  readonly #read = new Map<string, Read>();
  readonly #answers = new Map<
    string,
    { readonly untilMs: number; readonly credential?: Credential }
  >();
  readonly #asking = new Map<string, Promise<Credential | undefined>>();
  #lookedMs = -Infinity;
  #looking: Promise<void> | undefined;

  private constructor(options: CredentialsOptions) {
    this.#options = options;
  }

  /** Reads the files. One that cannot be read or understood is a {@link problems}, never an error. */
  static async open(options: CredentialsOptions): Promise<Credentials> {
    const credentials = new Credentials(options);
    await credentials.#look();
    return credentials;
  }

  /** What is wrong with the files, for people: files that cannot be used, helpers that may not run. */
  problems(): readonly string[] {
    const problems: string[] = [];
    for (const [file, { content, problem }] of this.#read) {
      if (problem !== undefined) problems.push(`Cannot use credentials of ${file}: ${problem}`);
      const named = [...content?.helpers.values() ?? [], ...content?.store ? [content.store] : []];
      for (const name of new Set(named)) {
        if (this.#isAllowed(name)) continue;
        problems.push(
          `${file} names the helper docker-credential-${name}, which is not allowed to run`,
        );
      }
    }
    return problems;
  }

  /**
   * Whether there is a login for a repository, as far as that is known without asking a helper: one
   * that has not answered yet counts as having one.
   */
  has(registry: string, repository: string): boolean {
    const found = this.#find(registry, repository);
    if (found === undefined) return false;
    if ("credential" in found) return true;
    const answer = this.#answers.get(`${found.helper} ${found.server}`);
    return answer === undefined || answer.credential !== undefined;
  }

  /**
   * The login for a repository, the most specific one.
   *
   * @throws {SeedmintError} If a helper fails.
   */
  async of(
    registry: string,
    repository: string,
  ): Promise<Credential | undefined> {
    if (this.#options.clock.monotonicMs() - this.#lookedMs >= AUTH_LOOK_MS) {
      this.#looking ??= this.#look().finally(() => this.#looking = undefined);
      await this.#looking;
    }
    const found = this.#find(registry, repository);
    if (found === undefined || "credential" in found) return found?.credential;
    const key = `${found.helper} ${found.server}`;
    const kept = this.#answers.get(key);
    const isKept = kept !== undefined && kept.untilMs > this.#options.clock.monotonicMs();
    if (isKept) return kept.credential;
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = this.#ask(key, found).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    return await asking;
  }

  /** Belongs to all who wait for it, and ends by its own deadline. */
  async #ask(
    key: string,
    { helper, server }: Extract<Found, { helper: string }>,
  ): Promise<Credential | undefined> {
    const { clock, helpers } = this.#options;
    const { signal } = new AbortController();
    const credential = await helpers!.ask(helper, server, { signal });
    if (this.#answers.size >= HELPER_ANSWERS_MAX) this.#answers.clear();
    this.#answers.set(key, {
      untilMs: clock.monotonicMs() + HELPER_KEPT_MS,
      ...(credential === undefined ? {} : { credential }),
    });
    return credential;
  }

  #find(registry: string, repository: string): Found | undefined {
    const server = registry === "docker.io" ? "https://index.docker.io/v1/" : registry;
    for (const file of this.#options.files) {
      const content = this.#read.get(file)?.content;
      if (content === undefined) continue;
      const helper = content.helpers.get(registry);
      if (helper !== undefined && this.#isAllowed(helper)) return { helper, server };
      for (const place of placesOf(registry, repository)) {
        const credential = content.entries.get(place);
        if (credential !== undefined) return { credential };
      }
      if (content.store !== undefined && this.#isAllowed(content.store)) {
        return { helper: content.store, server };
      }
    }
    return undefined;
  }

  #isAllowed(helper: string): boolean {
    return isHelperName(helper) && (this.#options.helpers?.allowed.includes(helper) ?? false);
  }

  async #look(): Promise<void> {
    for (const file of this.#options.files) {
      const known = this.#read.get(file);
      const read = await readFile(file, known);
      if (read === undefined) this.#read.delete(file);
      else if (read !== known) this.#read.set(file, read);
    }
    this.#lookedMs = this.#options.clock.monotonicMs();
  }
}

/** Reads a file unless it is as it was; undefined if it is not there. */
async function readFile(file: string, known: Read | undefined): Promise<Read | undefined> {
  let stamp = "";
  try {
    const { size, mtime, isFile } = await Deno.stat(file);
    stamp = `${size} ${mtime?.getTime()}`;
    if (known?.stamp === stamp) return known;
    if (!isFile) throw new SeedmintError("usage", "it is not a file");
    if (size > AUTH_FILE_BYTES_MAX) {
      throw new SeedmintError("usage", `it has more than ${AUTH_FILE_BYTES_MAX} bytes`);
    }
    return { stamp, content: parseAuthFile(await Deno.readTextFile(file)) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    const isOurs = error instanceof SeedmintError || error instanceof SyntaxError;
    const problem = isOurs ? error.message : "it cannot be read; check its permissions";
    return { stamp, content: undefined, problem };
  }
}
