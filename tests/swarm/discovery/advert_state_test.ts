import assert from "node:assert/strict";
import {
  type AdvertState,
  MemoryAdvertState,
  SqliteAdvertState,
} from "../../../swarm/discovery/advert_state.ts";

const states: readonly (readonly [string, () => AdvertState])[] = [
  ["MemoryAdvertState", () => new MemoryAdvertState()],
  ["SqliteAdvertState", () => SqliteAdvertState.open(":memory:")],
];
for (const [name, make] of states) {
  Deno.test(`${name} keeps marks by key`, () => {
    using state = make();
    state.set("a", { createdAtS: 5, live: true });
    state.set("b", { createdAtS: 6, live: true });
    state.set("a", { createdAtS: 7, live: false });
    assert.deepEqual(state.get("a"), { createdAtS: 7, live: false });
    assert.equal(state.get("c"), undefined);
    state.delete("b");
    assert.deepEqual([...state.entries()], [["a", { createdAtS: 7, live: false }]]);
  });
}

Deno.test("SqliteAdvertState keeps marks across restarts, and says what is wrong with its file", async () => {
  const path = await Deno.makeTempFile({ suffix: ".db" });
  {
    using state = SqliteAdvertState.open(path);
    state.set("a", { createdAtS: 5, live: true });
  }
  {
    using state = SqliteAdvertState.open(path);
    assert.deepEqual(state.get("a"), { createdAtS: 5, live: true });
  }
  await Deno.writeTextFile(path, "not a database".repeat(500));
  assert.throws(() => SqliteAdvertState.open(path), { code: "storage" });
  await Deno.remove(path);
});
