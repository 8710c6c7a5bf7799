/**
 * Asks mints again about ecash that came out of a backup. Until its mint said that it is unspent nobody
 * may spend it, although it counts as free: such ecash must not wait in silence for somebody to think of
 * `wallet restore`, as after a crash in between, or while its mint called it pending.
 */
import type { Engine } from "./operations/engine.ts";
import { beginRestore } from "./operations/restore_plan.ts";
import type { MintUrl } from "./types.ts";

/** Shortest time between two such restores of one mint; doubled each time that some ecash was left. */
const REST_MS_MIN = 5 * 60_000;

/** Longest time between them: what is pending for hours hangs in Lightning for days. */
const REST_MS_MAX = 6 * 3_600_000;

/** Parent of restores that were begun here. */
const PARENT = "recheck";

/** What was begun for one mint since the wallet was opened. */
interface Memory {
  readonly count: number;
  readonly restUntilMs: number;
}

/** See the head of this file. */
export class Rechecker {
  readonly #engine: Engine;
  readonly #memories = new Map<MintUrl, Memory>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Begins a restore of each listed mint whose free ecash may not be spent, unless one is open (or waits
   * for a person) already. The first looks for everything, as the backup may be old; those that follow
   * only ask about what is held.
   *
   * @returns The operations that were begun; they are driven already.
   */
  async look(): Promise<readonly string[]> {
    const { store, clock } = this.#engine.context;
    const mints = new Set(
      store.proofs({ state: "free", needsRecheck: true }).map(({ mint }) => mint),
    );
    for (const mint of [...this.#memories.keys()]) {
      if (!mints.has(mint)) this.#memories.delete(mint);
    }
    const begun: string[] = [];
    for (const mint of mints) {
      const memory = this.#memories.get(mint) ?? { count: 0, restUntilMs: -Infinity };
      const nowMs = clock.nowMs();
      if (memory.restUntilMs > nowMs || store.mint(mint) === undefined || this.#isOpen(mint)) {
        continue;
      }
      const restMs = Math.min(REST_MS_MAX, REST_MS_MIN * 2 ** Math.min(memory.count, 30));
      this.#memories.set(mint, { count: memory.count + 1, restUntilMs: nowMs + restMs });
      const { id } = await beginRestore(this.#engine.context, {
        mint,
        parent: PARENT,
        ...memory.count === 0 ? {} : { heldOnly: true },
      });
      begun.push(id);
      this.#drive(id);
    }
    return begun;
  }

  #isOpen(mint: MintUrl): boolean {
    return this.#engine.context.store.operations({
      kind: "restore",
      status: ["open", "attention"],
    }).some((operation) => operation.mint === mint);
  }

  #drive(id: string): void {
    // The wallet closes, or its disk is full: the journal has it, and the resumer goes on with it.
    this.#engine.drive(id).catch(() => {});
  }
}
