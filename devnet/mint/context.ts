/** What every part of the mint works on. */
import type { Random } from "../../src/core/ports.ts";
import type { SqliteConnection } from "../../src/sqlite/mod.ts";
import type { LightningClient } from "../lightning/client.ts";
import type { MintClock } from "./clock.ts";
import type { Faults } from "./faults.ts";
import type { Keysets } from "./keysets.ts";
import type { Settings } from "./settings.ts";
import type { Updates } from "./updates.ts";

/** Parts of one mint. */
export interface MintContext {
  /** Its name on Lightning, too. */
  readonly name: string;
  readonly db: SqliteConnection;
  readonly clock: MintClock;
  readonly random: Random;
  readonly lightning: LightningClient;
  readonly keysets: Keysets;
  readonly settings: Settings;
  readonly faults: Faults;
  readonly updates: Updates;
  /** Aborted when the mint stops. */
  readonly signal: AbortSignal;
}

/** A random UUID of version 7, as quote ids are (NUT-04). */
export function newQuoteId(context: MintContext): string {
  const bytes = context.random.bytes(16);
  new DataView(bytes.buffer).setUint32(0, context.clock.nowS());
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toHex();
  return [8, 12, 16, 20, 32].map((end, i) => hex.slice([0, 8, 12, 16, 20][i], end)).join("-");
}
