/**
 * The conformance suite of the OCI's distribution specification against the push registry. It is a
 * program of its own, named by `SEEDMINT_OCI_CONFORMANCE`; it writes its results as JUnit does.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { check, skip } from "../blossom/suite.ts";
import { commandOutput } from "./lab.ts";
import { MIRROR, PUSH } from "./nodes.ts";
import type { World } from "./world.ts";

const PROGRAM = "SEEDMINT_OCI_CONFORMANCE";

/** Runs it. */
export async function conformanceCases({ directory, nodes }: World): Promise<void> {
  const program = Deno.env.get(PROGRAM);
  if (program === undefined) {
    const where = "github.com/opencontainers/distribution-spec, directory conformance";
    return skip("the OCI conformance suite", `${PROGRAM} names no program built from ${where}`);
  }
  const results = join(directory, "conformance");
  const node = await nodes.start(MIRROR, "--push-listen", PUSH);
  try {
    await check("the OCI conformance suite passes: pull, push, discovery, management", async () => {
      const ending = await commandOutput(program, [], {
        OCI_REGISTRY: PUSH,
        OCI_TLS: "disabled",
        OCI_VERSION: "1.1",
        OCI_RESULTS_DIR: results,
        // The specification leaves algorithms besides SHA-256 to the registry; this one has no other.
        OCI_DATA_SHA512: "false",
      }).then(() => undefined, (error: Error) => error);
      const junit = await Deno.readTextFile(join(results, "junit.xml"));
      const count = (name: string) =>
        Number(/<testsuite ([^>]*)/.exec(junit)?.[1]?.match(` ${name}="([0-9]+)"`)?.[1] ?? 0);
      const [failures, skipped] = [count("failures"), count("skipped") + count("disabled")];
      const passed = count("tests") - failures - skipped;
      console.log(
        `        OCI conformance: ${passed} passed, ${failures} failed, ${skipped} skipped`,
      );
      assert.equal(failures, 0, ending?.message ?? "");
      assert.ok(passed > 100, `only ${passed} passed`);
    });
  } finally {
    await nodes.end(node);
  }
}
