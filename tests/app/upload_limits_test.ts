import assert from "node:assert/strict";
import { UploadLimits } from "../../src/app/lifecycle/upload_limits.ts";
import { ManualClock } from "../support/manual_clock.ts";

Deno.test("what goes to members counts against the rate of the node and of each member", () => {
  const clock = new ManualClock();
  const limits = new UploadLimits({ uploadRate: 1_000_000, uploadRateAll: 1_500_000 }, clock);
  assert.equal(limits.sliceBytes, 125_000);
  assert.ok(limits.take("ann", 1_250_000) >= 1_000, "its own second is used up");
  assert.ok(limits.take("ben", 125_000) > 0, "and nothing is left of the node's");
  assert.ok(limits.all!.take(0) > 0, "which its provider feels as well");
  const free = new UploadLimits({ uploadRate: 0, uploadRateAll: 0 }, clock);
  assert.deepEqual([free.all, free.take("ann", 1e12)], [undefined, 0]);
});
