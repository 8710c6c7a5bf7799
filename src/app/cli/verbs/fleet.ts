/** `fleet`: the key of a fleet, and certificates by which it admits peers. No node is asked. */
import { join } from "node:path";
import { messageOf, SeedmintError } from "../../../core/errors.ts";
import { ed25519PublicKey } from "../../../core/ed25519.ts";
import { issueCertificate } from "../../../../swarm/fleet.ts";
import { isPeerId } from "../../../../swarm/net/peer_id.ts";
import { createFleetKey, readFleetKey } from "../../fleet_key.ts";
import { openDataDirectory } from "../../identity.ts";
import { systemClock, systemRandom } from "../../../host/system.ts";
import { absolute } from "../support.ts";
import type { VerbContext } from "../verb.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const DAYS_DEFAULT = "365";
const DAYS_MAX = 36_500;

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const [action, peerId, ...rest] = context.operands;
  if (action === "init" && peerId === undefined) return await init(context);
  if (action === "certify" && peerId !== undefined && rest.length === 0) {
    return await certify(context, peerId);
  }
  throw new SeedmintError(
    "usage",
    "Cannot run fleet: init, or certify and one PEER_ID wanted (see fleet --help)",
  );
}

async function init(context: VerbContext): Promise<number> {
  const { out } = context;
  if (context.has("days") || context.has("output")) {
    throw new SeedmintError("usage", "Cannot run fleet init: --days and -o belong to certify");
  }
  const path = await keyPath(context);
  const fleetKey = await createFleetKey(path, systemRandom);
  if (out.json) out.object({ fleetKey, path });
  else {
    out.line(fleetKey);
    out.note(
      `note: the secret is in ${path}: whoever has it can admit peers, so back it up safely`,
    );
    out.note(`note: nodes that serve the fleet take --fleet-key ${fleetKey}`);
  }
  return 0;
}

async function certify(context: VerbContext, peerId: string): Promise<number> {
  const { out } = context;
  const shown = peerId.slice(0, 80);
  if (!isPeerId(peerId)) {
    throw new SeedmintError(
      "usage",
      `Cannot certify "${shown}": a peer id wanted, which status shows`,
    );
  }
  const expiresMs = systemClock.nowMs() + daysOf(context) * DAY_MS;
  const fleetSecret = await readFleetKey(await keyPath(context));
  const certificate = (await issueCertificate({ fleetSecret, peerId, expiresMs })).toHex();
  const output = context.flag("output");
  const path = output === undefined ? undefined : absolute(output);
  if (path !== undefined) await write(path, certificate);
  const expires = new Date(Math.floor(expiresMs / 1000) * 1000).toISOString();
  if (out.json) {
    const fleetKey = (await ed25519PublicKey(fleetSecret)).toHex();
    out.object({ peerId, certificate, expires, fleetKey, path: path ?? null });
  } else {
    if (path === undefined) out.line(certificate);
    out.note(`note: valid until ${expires}; the node takes the file as --fleet-certificate`);
  }
  return 0;
}

async function write(path: string, certificate: string): Promise<void> {
  try {
    await Deno.writeTextFile(path, `${certificate}\n`);
  } catch (error) {
    throw new SeedmintError("storage", `Cannot write ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function keyPath(context: VerbContext): Promise<string> {
  const given = context.flag("key");
  if (given !== undefined) return absolute(given);
  const { data } = context.config.values;
  await openDataDirectory(data);
  return join(data, "fleet.key");
}

function daysOf(context: VerbContext): number {
  const text = context.flag("days") ?? DAYS_DEFAULT;
  const days = Number(text);
  if (/^\d+$/.test(text) && days >= 1 && days <= DAYS_MAX) return days;
  throw new SeedmintError("usage", `Cannot certify for "${text}" days: 1 to ${DAYS_MAX} wanted`);
}
