import assert from "node:assert/strict";
import { refusesChannels } from "../../../wallet/channel/mint_support.ts";

Deno.test("refusesChannels knows the releases that check another text for SIG_ALL", () => {
  const refusing = ["cdk-mintd/0.13.4", "cdk/0.9.1", "Nutshell/0.20.2", "Nutshell/0.16.0"];
  for (const version of refusing) assert.equal(refusesChannels({ version }), true, version);
  const closing = ["cdk-mintd/0.14.0", "cdk-mintd/0.17.6", "Nutshell/0.20.3", "Nutshell/1.0.0"];
  const unknown = ["", "Seedmint/1", "other/0.1.0", "cdk", "constructor/0.1.0"];
  for (const version of [...closing, ...unknown]) {
    assert.equal(refusesChannels({ version }), false, version);
  }
});
