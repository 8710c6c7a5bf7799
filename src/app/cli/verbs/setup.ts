/** `setup`: makes container clients pull through this node, and takes that back. */
import { planContainerd } from "../../clients/containerd.ts";
import { planContainersImage } from "../../clients/containers_image.ts";
import { planDocker } from "../../clients/docker.ts";
import type { AppliedChange, FileChange, HostFiles } from "../../clients/files.ts";
import type { ClientName, Plan, PlanOptions } from "../../clients/plan.ts";
import { detect, HostPrograms } from "../../clients/programs.ts";
import {
  addressOf,
  filesOf,
  homeOf,
  mirrorOf,
  readClients,
  registriesOf,
} from "../client_support.ts";
import type { VerbContext } from "../verb.ts";

const PLANNERS: Readonly<Record<ClientName, (options: PlanOptions) => Promise<Plan>>> = {
  containerd: planContainerd,
  docker: planDocker,
  podman: planContainersImage,
  skopeo: planContainersImage,
};

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const clients = readClients(context);
  const files = filesOf(context);
  const programs = HostPrograms.open({ asks: false });
  const { pushListen } = context.config.values;
  for (const client of clients) {
    const found = await detect(client, programs, context.signal);
    const plan = await PLANNERS[client]({
      files,
      mirror: mirrorOf(context),
      ...(pushListen === undefined ? {} : { push: addressOf(pushListen) }),
      registries: registriesOf(context),
      ...homeOf(context),
      isRemoval: context.has("remove"),
      ...(found?.version === undefined ? {} : { version: found.version }),
    });
    if (context.has("dry-run")) showPlan(context, client, plan, files);
    else await carryOut(context, client, plan, files);
  }
  return 0;
}

function showPlan(
  { out }: VerbContext,
  client: ClientName,
  { changes, notes, restart }: Plan,
  files: HostFiles,
): void {
  for (const { path, before, after } of changes) {
    const place = files.place(path);
    if (out.json) {
      out.object({ client, path: place, before: before ?? null, after: after ?? null });
    } else {
      out.line(`${after === undefined ? "would remove" : "would write"} ${place}`);
      if (after !== undefined) out.line(after.replace(/^/gm, "  ").trimEnd());
    }
  }
  if (out.json) return out.object({ client, done: false, notes, restart: restart ?? null });
  if (changes.length === 0) out.line(`${client}: nothing to change`);
  for (const note of notes) out.note(`note: ${note}`);
}

async function carryOut(
  context: VerbContext,
  client: ClientName,
  { changes, notes, restart }: Plan,
  files: HostFiles,
): Promise<void> {
  const { out } = context;
  const isRemoval = context.has("remove");
  const applied = await files.apply(changes as readonly FileChange[], { isRemoval });
  if (out.json) {
    for (const change of applied) out.object({ client, ...change });
    return out.object({ client, done: true, notes, restart: restart ?? null });
  }
  for (const change of applied) out.line(describe(change));
  if (applied.length === 0) out.line(`${client}: nothing to change`);
  for (const note of notes) out.note(`note: ${note}`);
  if (restart !== undefined) out.line(`next: ${restart}`);
  if (!isRemoval) out.line(`then: doctor ${client}`);
}

function describe({ action, path, backup }: AppliedChange): string {
  return `${action} ${path}${backup === undefined ? "" : ` (before: ${backup})`}`;
}
