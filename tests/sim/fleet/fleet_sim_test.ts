/** What holds for a fleet of any size that wants one content at one moment. */
import assert from "node:assert/strict";
import { runFleet } from "./fleet_sim.ts";

const MB = 1_000_000;
const GB = 1000 * MB;

/** A layer of 1 GB, upstream of 100 MB/s in all. */
const SCENE = { size: GB, upstreamRate: 100 * MB, nodeRate: 400 * MB, stepMs: 20 };

Deno.test("a cold fleet takes from upstream what one node takes, and hardly more time", () => {
  for (const nodeCount of [10, 100, 1000]) {
    const result = runFleet({ ...SCENE, nodeCount });
    assert.equal(result.completeCount, nodeCount);
    assert.ok(result.upstreamBytes <= 1.05 * GB, `${nodeCount}: ${result.upstreamBytes} bytes`);
    assert.ok(result.lastMs <= 1.15 * result.aloneMs, `${nodeCount}: ${result.lastMs} ms`);
    assert.ok(result.sentMax <= 2, `${nodeCount}: one node sent ${result.sentMax} times the layer`);
  }
});

Deno.test("a cold fleet on lines no faster than upstream's needs less than twice the time of one", () => {
  const result = runFleet({ ...SCENE, nodeRate: 100 * MB, nodeCount: 200 });
  assert.equal(result.completeCount, 200);
  assert.ok(result.upstreamBytes <= 1.05 * GB);
  assert.ok(result.lastMs <= 1.7 * result.aloneMs, `${result.lastMs} ms`);
  assert.ok(result.lastMs * 50 < result.directMs);
});

Deno.test("a fleet of which few want the content takes it from upstream hardly more than once", () => {
  for (const seed of [1, 2, 3]) {
    const result = runFleet({ ...SCENE, nodeCount: 1000, wantShare: 0.05, seed });
    assert.equal(result.completeCount, result.wantingCount);
    assert.ok(result.upstreamBytes <= 1.2 * GB, `seed ${seed}: ${result.upstreamBytes} bytes`);
    assert.ok(result.lastMs <= 1.3 * result.aloneMs, `seed ${seed}: ${result.lastMs} ms`);
  }
});

Deno.test("a fleet goes on when a tenth of it falls silent at one moment", () => {
  for (const seed of [1, 2, 3]) {
    const deaths = { share: 0.1, atMs: 4000 };
    const result = runFleet({ ...SCENE, nodeCount: 200, deaths, seed });
    assert.ok(result.completeCount >= 160, `${result.completeCount} are complete`);
    assert.equal(result.completeCount, result.survivorCount);
    assert.ok(result.upstreamBytes <= 2 * GB, `seed ${seed}: ${result.upstreamBytes} bytes`);
    assert.ok(result.lastMs <= 2.2 * result.aloneMs, `seed ${seed}: ${result.lastMs} ms`);
  }
});

Deno.test("equal scenes give equal results, and others do not", () => {
  const scene = { ...SCENE, nodeCount: 50 };
  assert.deepEqual(runFleet(scene), runFleet(scene));
  assert.notEqual(runFleet(scene).askCount, runFleet({ ...scene, seed: 2 }).askCount);
});
