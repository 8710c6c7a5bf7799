/** The configuration of an image (OCI image-spec `config`), read from bytes that a stranger made. */
import { SeedmintError } from "../../../core/errors.ts";
import { isSha256, type Sha256 } from "../../../core/hash.ts";
import type { ImageConfig } from "../../../../provisioning/ports.ts";
import { LAYERS_MAX } from "./limits.ts";

/** What is read of it. */
export interface ConfigFacts {
  readonly config: ImageConfig;
  /** Of each layer's uncompressed tar, in order. */
  readonly diffIds: readonly Sha256[];
}

/** Texts of one list, such as the environment. */
const ITEMS_MAX = 1024;
/** Characters of one text. */
const TEXT_CHARS_MAX = 32 * 1024;

/** @throws {SeedmintError} `invalid` if it is none. */
export function readConfig(bytes: Uint8Array): ConfigFacts {
  let whole: unknown;
  try {
    whole = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw invalid("it is no JSON");
  }
  const object = objectOf(whole) ?? {};
  const rootfs = objectOf(object.rootfs);
  const diffIds = rootfs?.type === "layers" ? rootfs.diff_ids : undefined;
  if (!Array.isArray(diffIds) || diffIds.length > LAYERS_MAX) throw invalid("it lists no layers");
  const config = objectOf(object.config) ?? {};
  const user = textOf(config.User);
  const workingDir = textOf(config.WorkingDir);
  return {
    config: {
      env: listOf(config.Env),
      entrypoint: listOf(config.Entrypoint),
      cmd: listOf(config.Cmd),
      exposedPorts: Object.keys(objectOf(config.ExposedPorts) ?? {}).slice(0, ITEMS_MAX),
      ...(user === undefined ? {} : { user }),
      ...(workingDir === undefined ? {} : { workingDir }),
    },
    diffIds: diffIds.map((id: unknown) => {
      const hex = typeof id === "string" && id.startsWith("sha256:") ? id.slice(7) : "";
      if (!isSha256(hex)) throw invalid("a layer has no digest");
      return hex;
    }),
  };
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? value as Record<string, unknown> : undefined;
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "string" && value.length <= TEXT_CHARS_MAX && !value.includes("\0")) {
    return value;
  }
  throw invalid("a text in it is none, or too long");
}

function listOf(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.length > ITEMS_MAX) throw invalid("a list in it is none");
  return value.map((item) => textOf(item) ?? "");
}

function invalid(why: string): SeedmintError {
  return new SeedmintError("invalid", `its configuration cannot be used: ${why}`);
}
