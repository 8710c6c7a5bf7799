/** What `setup` and `doctor` share: which clients are meant, and what the settings say to them. */
import { homedir } from "node:os";
import { SeedmintError } from "../../core/errors.ts";
import { HostFiles } from "../clients/files.ts";
import { type ClientName, CLIENTS, type MirroredRegistry, originOf } from "../clients/plan.ts";
import { MIRROR_ADDRESS } from "../config/registry_settings.ts";
import type { HostPort } from "../config/values.ts";
import { absolute } from "./support.ts";
import type { VerbContext } from "./verb.ts";

/** The clients that a line names, each once. @throws {SeedmintError} `usage` */
export function readClients(context: VerbContext): readonly ClientName[] {
  return [
    ...new Set(context.operands.map((name) => {
      const client = CLIENTS.find((one) => one === (name === "buildah" ? "podman" : name));
      if (client !== undefined) return client;
      throw new SeedmintError(
        "usage",
        `Cannot ${context.verb.name} "${name.slice(0, 24)}": one of ${CLIENTS.join(", ")} wanted`,
      );
    })),
  ];
}

/** Where clients of this machine reach a listener: any address of it is its loopback one. */
export function addressOf({ hostname, port }: HostPort): string {
  const isAny = hostname === "0.0.0.0" || hostname === "::";
  const host = isAny ? "127.0.0.1" : hostname;
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Where the mirror is. */
export function mirrorOf(context: VerbContext): string {
  return addressOf(context.config.values.mirrorListen ?? MIRROR_ADDRESS);
}

/** The registries of the settings. */
export function registriesOf(context: VerbContext): readonly MirroredRegistry[] {
  const { mirrorRegistry, mirrorUpstream } = context.config.values;
  return mirrorRegistry.map((registry) => ({
    registry,
    url: mirrorUpstream.find((one) => one.registry === registry)?.value ?? originOf(registry),
  }));
}

/** The files of the clients. */
export function filesOf(context: VerbContext): HostFiles {
  const root = context.flag("root");
  return new HostFiles(root === undefined ? "/" : absolute(root));
}

/** The home directory whose files are meant, if those of a user are. */
export function homeOf(context: VerbContext): { readonly home?: string } {
  return context.has("user") ? { home: homedir() } : {};
}
