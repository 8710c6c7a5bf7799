/** Where a client would ask for a registry's images, read from its files as the client reads them. */
import { readContainerd } from "./containerd.ts";
import { readRegistries } from "./containers_image.ts";
import { dockerDirectory, readDocker } from "./docker.ts";
import type { ClientFiles } from "./files.ts";
import { readHosts } from "./hosts_toml.ts";
import type { ClientName, Version } from "./plan.ts";

/** What was found for one registry. */
export interface Route {
  readonly registry: string;
  /** Hosts in the order in which they are asked, as `host:port` or a URL; the registry itself comes last. */
  readonly mirrors: readonly string[];
  /** Where ours stands among them: 0 is first; undefined when it does not. */
  readonly place?: number;
  /** The file that decides. */
  readonly path: string;
}

/** What the files of a client say. */
export interface Examined {
  readonly routes: readonly Route[];
  /** What is wrong besides, and what to do. */
  readonly faults: readonly string[];
}

/** What is looked for. */
export interface ExamineOptions {
  readonly files: ClientFiles;
  /** `127.0.0.1:5055` */
  readonly mirror: string;
  readonly registries: readonly string[];
  readonly home?: string;
  readonly version?: Version;
}

/** Reads the files of `client`. @throws {SeedmintError} If they cannot be read. */
export async function examine(client: ClientName, options: ExamineOptions): Promise<Examined> {
  if (client === "containerd") return await examineContainerd(options);
  if (client === "docker") return await examineDocker(options);
  return await examineContainersImage(options);
}

async function examineContainerd(options: ExamineOptions): Promise<Examined> {
  const config = await readContainerd(options.files, options);
  const faults: string[] = [];
  const unsaid = config.said.filter(([, path]) => path === undefined).map(([plugin]) => plugin);
  if (!config.isCriDisabled) {
    if (config.hasOldMirrors) {
      faults.push("config.toml has mirrors in the old way; move them into hosts.toml files");
    } else if (unsaid.length > 0) {
      faults.push(
        `config.toml names no config_path for ${
          unsaid.join(", ")
        }, so that what Kubernetes pulls ` +
          "does not come this way: run setup containerd",
      );
    }
  }
  if (config.said.some(([, path]) => path?.includes(":"))) {
    faults.push("config_path is a list of directories, which some versions cannot read: name one");
  }
  const routes = await hostRoutes(options, config.directory);
  return { routes, faults };
}

async function hostRoutes(options: ExamineOptions, directory: string): Promise<Route[]> {
  const routes: Route[] = [];
  for (const registry of options.registries) {
    const own = `${directory}/${registry}/hosts.toml`;
    const any = `${directory}/_default/hosts.toml`;
    const text = await options.files.read(own);
    const path = text === undefined ? any : own;
    const found = text ?? await options.files.read(any);
    const hosts = found === undefined ? [] : readHosts(found, path);
    const mirrors = hosts.filter(({ capabilities }) => capabilities.includes("pull"));
    routes.push(routeOf(registry, mirrors.map(({ url }) => url), options.mirror, own));
  }
  return routes;
}

async function examineDocker(options: ExamineOptions): Promise<Examined> {
  const { mirrors, usesContainerdStore } = await readDocker(options.files, options);
  const directory = dockerDirectory(options.home);
  const hub = routeOf("docker.io", mirrors, options.mirror, `${directory}/daemon.json`);
  if (!usesContainerdStore) return { routes: [hub], faults: [] };
  const registries = options.registries.filter((registry) => registry !== "docker.io");
  const others = await hostRoutes({ ...options, registries }, `${directory}/certs.d`);
  return { routes: [hub, ...others], faults: [] };
}

async function examineContainersImage(options: ExamineOptions): Promise<Examined> {
  const { home, mirror } = options;
  const entries = await readRegistries(options.files, home === undefined ? {} : { home });
  const faults: string[] = [];
  const routes = options.registries.map((registry) => {
    const entry = entries.get(registry);
    if (entry?.fields.blocked === true) faults.push(`${registry} is blocked in ${entry.path}`);
    const mirrors = entry?.mirrors ?? [];
    const ours = mirrors.find(({ location }) => isOurs(String(location ?? ""), mirror));
    if (ours !== undefined && ours.insecure !== true) {
      faults.push(`the mirror of ${registry} needs insecure = true in ${entry!.path}`);
    }
    const locations = mirrors.map(({ location }) => String(location ?? ""));
    return routeOf(registry, locations, mirror, entry?.path ?? "/etc/containers/registries.conf");
  });
  return { routes, faults };
}

function routeOf(
  registry: string,
  mirrors: readonly string[],
  mirror: string,
  path: string,
): Route {
  const place = mirrors.findIndex((one) => isOurs(one, mirror));
  return { registry, mirrors, path, ...(place < 0 ? {} : { place }) };
}

/** Whether a mirror of a client is this node's, in whatever form it is named. */
function isOurs(text: string, mirror: string): boolean {
  const host = text.replace(/^https?:\/\//, "").split("/")[0]!;
  return sameHost(host) === sameHost(mirror);
}

function sameHost(host: string): string {
  return host.replace(/^localhost(?=:|$)/, "127.0.0.1");
}
