/**
 * The proof: an image that only this node has is pulled, by the client itself or else by requests such
 * as it sends. Whoever gets it uses the mirror.
 */
import { join } from "node:path";
import { messageOf, SeedmintError } from "../../core/errors.ts";
import type { ClientFiles } from "./files.ts";
import { containerdDirectory, readContainerd } from "./containerd.ts";
import { PULL_MS_MAX, VERSION_MS_MAX } from "./limits.ts";
import type { ClientName } from "./plan.ts";
import type { Programs, Ran } from "./programs.ts";

/** What is pulled: `docker.io/seedmint/probe@sha256:…`. */
export interface Probe {
  readonly registry: string;
  readonly repository: string;
  readonly digest: string;
}

/** What came of it. */
export interface Proof {
  /** Whether the client itself pulled, or requests like its own were sent. */
  readonly by: "client" | "requests";
  readonly isProven: boolean;
  /** What happened, in one line. */
  readonly text: string;
}

/** What a proof needs. */
export interface ProveOptions {
  readonly programs: Programs;
  readonly files: ClientFiles;
  readonly probe: Probe;
  readonly signal: AbortSignal;
  /** A directory that nobody else uses. */
  readonly scratch: string;
  /** Whose files count, if those of a user do. */
  readonly home?: string;
}

/** One command. */
type Command = readonly [program: string, ...args: string[]];

/** How a client pulls, and how what it pulled goes again. */
interface Recipe {
  readonly pull: Command;
  readonly remove: readonly Command[];
}

/**
 * Lets `client` pull the probe, by each way that it has.
 *
 * @returns Empty when none of its programs can be run here.
 */
export async function proveByClient(
  client: ClientName,
  options: ProveOptions,
): Promise<readonly Proof[]> {
  if (!options.programs.mayRun) return [];
  const proofs: Proof[] = [];
  for (const recipe of await recipesOf(client, options)) {
    const proof = await follow(recipe, options);
    if (proof !== undefined) proofs.push(proof);
  }
  return proofs;
}

async function follow(
  { pull, remove }: Recipe,
  options: ProveOptions,
): Promise<Proof | undefined> {
  const { programs, signal } = options;
  const run = async ([name, ...args]: Command, msMax: number): Promise<Ran | undefined> => {
    const path = await programs.find(name);
    return path === undefined ? undefined : await programs.run(path, args, { msMax, signal });
  };
  const pulled = await run(pull, PULL_MS_MAX);
  if (pulled === undefined) return undefined;
  for (const command of remove) await run(command, VERSION_MS_MAX);
  const isProven = pulled.code === 0;
  const text = isProven
    ? `${
      pull[0]
    } pulled ${options.probe.registry}/${options.probe.repository}, which only this node has`
    : `${pull[0]} could not pull what only this node has: ${lastLine(pulled)}`;
  return { by: "client", isProven, text };
}

async function recipesOf(
  client: ClientName,
  { probe, scratch, files, home }: ProveOptions,
): Promise<readonly Recipe[]> {
  const image = `${probe.registry}/${probe.repository}@${probe.digest}`;
  if (client === "podman") {
    return [{ pull: ["podman", "pull", "--quiet", image], remove: [["podman", "rmi", image]] }];
  }
  if (client === "docker") {
    const remove: Command = ["docker", "image", "rm", image];
    return [{ pull: ["docker", "pull", "--quiet", image], remove: [remove] }];
  }
  if (client === "skopeo") {
    const target = `dir:${join(scratch, "skopeo")}`;
    const args = ["--insecure-policy", "copy", "--quiet", `docker://${image}`, target];
    return [{ pull: ["skopeo", ...args], remove: [] }];
  }
  const found = await readContainerd(files, home === undefined ? {} : { home })
    .catch(() => undefined);
  const directory = found?.directory ?? `${containerdDirectory(home)}/certs.d`;
  const namespace = ["--namespace", "seedmint-doctor"];
  // As Kubernetes pulls, where its tool is there, and as people do.
  const byKubernetes: Recipe = {
    pull: ["crictl", "pull", image],
    remove: [["crictl", "rmi", image]],
  };
  return [...(found?.isCriDisabled ? [] : [byKubernetes]), {
    pull: ["ctr", ...namespace, "images", "pull", "--hosts-dir", directory, image],
    remove: [
      ["ctr", ...namespace, "images", "rm", "--sync", image],
      ["ctr", "namespaces", "rm", "seedmint-doctor"],
    ],
  }];
}

/** Asks the mirror for the probe as `client` would: manifest, then each blob. */
export async function proveByRequests(
  client: ClientName,
  options: Pick<ProveOptions, "probe" | "signal"> & { readonly mirror: string },
): Promise<Proof> {
  const { probe, mirror } = options;
  const ask = async (kind: "manifests" | "blobs", digest: string) => {
    const { registry, repository } = probe;
    // containerd names the registry in the query, podman and skopeo in the path; docker does not.
    const path = client === "podman" || client === "skopeo"
      ? `${registry}/${repository}`
      : repository;
    const query = client === "containerd" ? `?ns=${registry}` : "";
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(PULL_MS_MAX)]);
    const url = `http://${mirror}/v2/${path}/${kind}/${digest}${query}`;
    const response = await fetch(url, { signal, redirect: "error" });
    if (response.ok) return await response.json();
    await response.body?.cancel();
    throw new SeedmintError("not-found", `${kind.slice(0, -1)} answered ${response.status}`);
  };
  try {
    const manifest = await ask("manifests", probe.digest);
    await ask("blobs", manifest.config.digest);
    return { by: "requests", isProven: true, text: `the mirror answers requests as ${client}'s` };
  } catch (error) {
    options.signal.throwIfAborted();
    const text = `the mirror at ${mirror} does not answer as ${client} needs: ${messageOf(error)}`;
    return { by: "requests", isProven: false, text };
  }
}

function lastLine({ err, out, code }: Ran): string {
  const lines = `${out}\n${err}`.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.at(-1)?.slice(0, 400) ?? `it ended with ${code}`;
}
