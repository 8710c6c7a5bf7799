import assert from "node:assert/strict";
import { Service, type ServiceOptions } from "../../../devnet/net/service.ts";
import { systemClock } from "../../../src/host/system.ts";
import { isSeedmintError, type SeedmintError } from "../../../src/core/errors.ts";

/** The system's clock, with naps instead of sleep. */
const hasty = {
  ...systemClock,
  sleep: (ms: number, options?: { readonly signal?: AbortSignal }) =>
    systemClock.sleep(ms / 50, options),
};

async function inDirectory(
  test: (options: Omit<ServiceOptions, "script">) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test({
      name: "mayfly",
      args: [],
      logPath: `${directory}/mayfly.log`,
      clock: hasty,
      signal: new AbortController().signal,
      onRestart: () => {},
      onGivenUp: () => {},
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("Service gives up a process that dies again and again, with its last words", async () => {
  await inDirectory(async (options) => {
    const reasons: string[] = [];
    const givenUp = Promise.withResolvers<SeedmintError>();
    await using service = new Service({
      ...options,
      script: "tests/devnet/net/mayfly.ts",
      onRestart: (why) => reasons.push(why),
      onGivenUp: givenUp.resolve,
    });
    assert.equal((await service.start()).event, "ready");
    const error = await givenUp.promise;
    assert.ok(isSeedmintError(error, "unavailable"));
    assert.match(error.message, /mayfly does not stay up: code 7, last words: my time has come/);
    assert.equal(reasons.length, 5);
    assert.match(await Deno.readTextFile(options.logPath), /^(my time has come\n){6}$/);
  });
});

Deno.test("Service.start() says why a process did not become ready", async () => {
  await inDirectory(async (options) => {
    await using service = new Service({ ...options, script: "tests/devnet/net/nothing.ts" });
    await assert.rejects(service.start(), (error) => {
      assert.ok(isSeedmintError(error, "unavailable"));
      assert.match(error.message, /Cannot start mayfly: .*nothing\.ts/s);
      return true;
    });
  });
});
