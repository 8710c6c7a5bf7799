import assert from "node:assert/strict";
import { main } from "../../src/app/cli/main.ts";
import { SeedmintError } from "../../src/core/errors.ts";

Deno.test("what failed is told without what would act on a terminal, whoever said it", async () => {
  const data = await Deno.makeTempDir();
  let err = "";
  try {
    const code = await main(["wallet", "balance", "--data", data], {
      writeOut: () => {},
      writeErr: (bytes) => err += new TextDecoder().decode(bytes),
      isErrTerminal: false,
      columns: 80,
      isColored: false,
    }, {
      input: {
        isTerminal: false,
        isTyped: false,
        line: () => Promise.resolve(""),
        text: () => Promise.resolve(""),
      },
      openWallet: () =>
        Promise.reject(
          new SeedmintError(
            "unavailable",
            "The mint says: \u001b]0;pwned\u0007\u001b[2J\u202egnp\r\u009b31m\nnext line",
          ),
        ),
    });
    assert.equal(code, 1);
    assert.match(err, /^error: The mint says: /);
    assert.match(err, /\nnext line\n$/);
    // deno-lint-ignore no-control-regex -- these are what must not come
    assert.doesNotMatch(err, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
});
