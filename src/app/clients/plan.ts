/** What setup would do for one client. */
import type { ClientFiles, FileChange } from "./files.ts";

/** The clients that setup knows. */
export const CLIENTS = ["containerd", "docker", "podman", "skopeo"] as const;

/** One of {@link CLIENTS}. */
export type ClientName = typeof CLIENTS[number];

/** A registry that is mirrored, and where it is when the mirror is not asked. */
export interface MirroredRegistry {
  readonly registry: string;
  /** Without a slash at the end. */
  readonly url: string;
}

/** What a plan is made of. */
export interface PlanOptions {
  readonly files: ClientFiles;
  /** `127.0.0.1:5055` */
  readonly mirror: string;
  /** Where images are pushed, when the node takes them. */
  readonly push?: string;
  readonly registries: readonly MirroredRegistry[];
  /** The home directory whose files are meant, instead of those of the system. */
  readonly home?: string;
  /** Take out what setup put in. */
  readonly isRemoval: boolean;
  /** The client's version, where it is known. */
  readonly version?: Version;
}

/** What would be done. */
export interface Plan {
  readonly changes: readonly FileChange[];
  /** What a person should know, or has to do. */
  readonly notes: readonly string[];
  /** The command that makes the client read its files again; absent when it does so by itself. */
  readonly restart?: string;
}

/** The first two parts of a version. */
export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly text: string;
}

/** Whether a version is known and not older than another. */
export function isAtLeast(version: Version | undefined, major: number, minor: number): boolean {
  if (version === undefined) return false;
  return version.major > major || version.major === major && version.minor >= minor;
}

/** The change of one file, or none when it stays as it is. */
export function changeOf(
  path: string,
  before: string | undefined,
  after: string | undefined,
): FileChange[] {
  if (before === after) return [];
  return [{
    path,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  }];
}

/** Where a registry is when nothing else is said. */
export function originOf(registry: string): string {
  return registry === "docker.io" ? "https://registry-1.docker.io" : `https://${registry}`;
}
