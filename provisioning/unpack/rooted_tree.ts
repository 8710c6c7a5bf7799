/**
 * A directory seen as the root of a file system that a stranger filled: names are resolved as the
 * kernel would after `chroot`, so that no `..` and no symbolic link leads out. Nothing else may change
 * the tree meanwhile.
 */
import { lchownSync, lutimesSync } from "node:fs";
import { SeedmintError } from "../../src/core/errors.ts";
import {
  DEPTH_MAX,
  FOLDERS_KEPT_CHARS,
  LINKS_FOLLOWED_MAX,
  NAME_BYTES_MAX,
  PATH_BYTES_MAX,
} from "./limits.ts";

const ENCODER = new TextEncoder();

/** Who owns an entry, as seen from inside. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What is done with directories that are missing on the way. */
export interface PlaceOptions {
  /** Whether they are made. */
  readonly isMade: boolean;
  /** Called before each that is made. */
  readonly onMake?: () => void;
}

/** A tree below one directory. */
export class RootedTree {
  /** Without a slash at its end. */
  readonly root: string;
  /** The host's user that is root inside; groups alike. */
  readonly #idOffset: number;
  /** Real directories that were met, so that each is looked at once; as many as memory is spared for. */
  readonly #folders = new Set<string>();
  #foldersChars = 0;

  constructor(root: string, options: { readonly idOffset: number }) {
    this.root = root.replace(/\/+$/, "");
    this.#idOffset = options.idOffset;
  }

  /**
   * The names of a path as a layer or a person writes it.
   *
   * @throws {SeedmintError} `invalid` for `..`, for what is too long or too deep, and for NUL.
   */
  static namesIn(path: string): string[] {
    const names = path.split("/").filter((name) => name !== "" && name !== ".");
    if (names.includes("..")) throw bad(path, "it leads out of its own directory");
    if (path.includes("\0")) throw bad(path, "it holds a zero byte");
    if (ENCODER.encode(path).length > PATH_BYTES_MAX) throw bad(path, "it is too long");
    if (names.length > DEPTH_MAX) throw bad(path, `it is deeper than ${DEPTH_MAX} directories`);
    if (names.some((name) => ENCODER.encode(name).length > NAME_BYTES_MAX)) {
      throw bad(path, "one of its names is too long");
    }
    return names;
  }

  /** Where the entry of these names is on the host; its directories are made as needed. */
  place(names: readonly string[], options: PlaceOptions): string | undefined {
    const parent = this.#folder(names.slice(0, -1), options);
    return parent === undefined ? undefined : `${parent}/${names[names.length - 1]!}`;
  }

  /** Makes a directory, or takes the one that is there; symbolic links are followed inside the root. */
  makeFolder(path: string, owner: Owner = { uid: 0, gid: 0 }, mode?: number): string {
    const names = RootedTree.namesIn(path);
    const isThere = this.#folder(names, { isMade: false }) !== undefined;
    const folder = this.#folder(names, { isMade: true })!;
    if (!isThere) this.own(folder, owner);
    if (mode !== undefined) Deno.chmodSync(folder, mode);
    return folder;
  }

  /** Writes a file in place of whatever is there. */
  writeFile(path: string, text: string, options: { mode: number; owner?: Owner }): void {
    const place = this.place(RootedTree.namesIn(path), { isMade: true })!;
    this.clear(place);
    Deno.writeTextFileSync(place, text, { createNew: true, mode: options.mode });
    this.own(place, options.owner ?? { uid: 0, gid: 0 });
    Deno.chmodSync(place, options.mode);
  }

  /** The text of a regular file, links followed inside the root; undefined if there is none. */
  readFile(path: string, bytesMax: number): string | undefined {
    const place = this.find(path);
    if (place === undefined) return undefined;
    const facts = Deno.lstatSync(place);
    if (!facts.isFile || facts.size > bytesMax) return undefined;
    return Deno.readTextFileSync(place);
  }

  /** Where `path` leads to, links followed inside the root; undefined if nothing is there. */
  find(path: string): string | undefined {
    return this.#walk(RootedTree.namesIn(path), { isMade: false, isFile: true });
  }

  /** Removes what is at a host path below the root, links unfollowed. */
  clear(place: string): void {
    const facts = lstat(place);
    if (facts === undefined) return;
    Deno.removeSync(place, { recursive: facts.isDirectory });
    if (facts.isDirectory) this.forget();
  }

  /** Forgets which directories were met: call it after removing any. */
  forget(): void {
    this.#folders.clear();
    this.#foldersChars = 0;
  }

  /** Gives an entry to a user of the inside. */
  own(place: string, owner: Owner): void {
    lchownSync(place, owner.uid + this.#idOffset, owner.gid + this.#idOffset);
  }

  /** Sets when an entry was changed, in seconds since 1970. */
  date(place: string, modifiedS: number): void {
    lutimesSync(place, modifiedS, modifiedS);
  }

  #folder(names: readonly string[], options: PlaceOptions): string | undefined {
    const literal = [this.root, ...names].join("/");
    if (names.length === 0 || this.#folders.has(literal)) return literal;
    const found = this.#walk(names, { ...options, isFile: false });
    if (found !== literal) return found;
    if (this.#foldersChars + literal.length > FOLDERS_KEPT_CHARS) this.forget();
    this.#foldersChars += literal.length;
    this.#folders.add(literal);
    return found;
  }

  /** Follows names from the root; `isFile` says that the last one need not be a directory. */
  #walk(
    names: readonly string[],
    { isMade, isFile, onMake }: PlaceOptions & { readonly isFile: boolean },
  ): string | undefined {
    const todo = [...names].reverse();
    const done: string[] = [];
    for (let followed = 0; todo.length > 0;) {
      const name = todo.pop()!;
      if (name === "..") {
        done.pop();
        continue;
      }
      const here = [this.root, ...done, name].join("/");
      const facts = lstat(here);
      if (facts === undefined) {
        if (!isMade) return undefined;
        onMake?.();
        Deno.mkdirSync(here, { mode: 0o755 });
        this.own(here, { uid: 0, gid: 0 });
        done.push(name);
      } else if (facts.isSymlink) {
        if (++followed > LINKS_FOLLOWED_MAX) throw bad(names.join("/"), "its links go in circles");
        const target = Deno.readLinkSync(here);
        if (target.startsWith("/")) done.length = 0;
        todo.push(...target.split("/").filter((part) => part !== "" && part !== ".").reverse());
        if (todo.length + done.length > DEPTH_MAX) throw bad(names.join("/"), "it is too deep");
      } else if (facts.isDirectory || (isFile && todo.length === 0)) {
        done.push(name);
      } else {
        if (!isMade) return undefined;
        throw bad(names.join("/"), `${name} is no directory`);
      }
    }
    return [this.root, ...done].join("/");
  }
}

/** The facts of an entry, or undefined if there is none. */
export function lstat(place: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(place);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw error;
  }
}

function bad(path: string, why: string): SeedmintError {
  return new SeedmintError("invalid", `Cannot use the path "${path.slice(0, 120)}": ${why}`);
}
