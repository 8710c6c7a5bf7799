/** How a table of transitions is tested: every pair of state and event, and what is reached from where. */
import assert from "node:assert/strict";
import { type LegEvent, transition } from "../../../wallet/operations/melt_transition.ts";

type Table<State extends string, Event extends string> = Readonly<
  Record<State, Readonly<Partial<Record<Event, State>>>>
>;

/** The events of a melt's leg: one more does not compile until it is here. */
export const LEG_EVENTS: Readonly<Record<LegEvent, true>> = {
  "split-frozen": true,
  "split-signed": true,
  "melt-frozen": true,
  "melt-again": true,
  "saw-pending": true,
  "saw-unpaid": true,
  "saw-paid": true,
  "saw-conflict": true,
  "fence-frozen": true,
  fenced: true,
  "fence-lost": true,
  released: true,
  requote: true,
};

/** The states that can follow `from`, itself among them. */
export function reachable<State extends string, Event extends string>(
  table: Table<State, Event>,
  from: State,
): Set<State> {
  const seen = new Set<State>([from]);
  for (const state of seen) {
    for (const next of Object.values(table[state]) as State[]) seen.add(next);
  }
  return seen;
}

/** Declares the tests that hold for every operation. */
export function testTransitions<State extends string, Event extends string>(
  kind: {
    /** As in `a melt`. */
    readonly name: string;
    readonly table: Table<State, Event>;
    readonly events: Readonly<Record<Event, true>>;
    /** What may happen; every other pair may not. */
    readonly allowed: readonly (readonly [State, Event, State])[];
    readonly first: State;
    readonly ends: readonly State[];
  },
): void {
  const states = Object.keys(kind.table) as State[];
  for (const state of states) {
    Deno.test(`of ${kind.name} that is ${state}, every event leads where the table says or is refused`, () => {
      for (const event of Object.keys(kind.events) as Event[]) {
        const wanted = kind.allowed.find((row) => row[0] === state && row[1] === event)?.[2];
        assert.equal(transition(kind.table, state, event), wanted, `${state} ${event}`);
      }
    });
  }

  Deno.test(`every state of ${kind.name} is reached from its first, and reaches an end`, () => {
    assert.deepEqual([...reachable(kind.table, kind.first)].sort(), [...states].sort());
    for (const state of states) {
      const ends = [...reachable(kind.table, state)].filter((end) => kind.ends.includes(end));
      assert.ok(ends.length > 0, `${state} has an end`);
    }
  });
}
