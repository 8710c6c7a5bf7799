/** The lessee's own SSH key, in a folder of its own. */
import type { Random } from "../../src/core/ports.ts";
import { makeHostKey, readHostKey } from "../ssh/mod.ts";
import type { SshKey, SshKeyPlace } from "./ports.ts";

/** `id_ed25519` in a folder, made when it is missing. */
export class SshKeyFolder implements SshKeyPlace {
  readonly #folder: string;
  readonly #random: Random;
  #key: Promise<SshKey> | undefined;

  constructor(options: { readonly folder: string; readonly random: Random }) {
    this.#folder = options.folder;
    this.#random = options.random;
  }

  get(): Promise<SshKey> {
    this.#key ??= this.#load().catch((error) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }

  async #load(): Promise<SshKey> {
    const path = `${this.#folder}/id_ed25519`;
    const text = await readOrNone(path) ?? await this.#make(path);
    return { publicKey: readHostKey(text).publicKey, path };
  }

  async #make(path: string): Promise<string> {
    const key = await makeHostKey(this.#random, "seedmint");
    await Deno.mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const draft = `${path}.${this.#random.bytes(4).toHex()}`;
    try {
      await Deno.writeTextFile(draft, key.privateKey, { mode: 0o600, createNew: true });
      // A link never replaces: of two processes the first one's key stays.
      await Deno.link(draft, path);
      await Deno.writeTextFile(`${path}.pub`, `${key.publicKey} seedmint\n`);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    } finally {
      await Deno.remove(draft).catch(() => {});
    }
    return await Deno.readTextFile(path);
  }
}

async function readOrNone(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
