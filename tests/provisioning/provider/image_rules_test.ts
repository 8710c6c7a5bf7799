import assert from "node:assert/strict";
import type { PolicyTable } from "../../../provisioning/leases/mod.ts";
import { imageProblem, imageReference } from "../../../provisioning/provider/image_rules.ts";
import { safeToken } from "../../support/provisioning/memory_till.ts";
import { ALICE, LeaseWorld } from "../../support/provisioning/lease_world.ts";
import { IMAGE_DIGEST } from "../../support/provisioning/memory_images.ts";

const NONE: Pick<PolicyTable, "denied"> = { denied: () => [] };
const DIGEST = `sha256:${"ab".repeat(32)}`;

function isTaken(image: string, rules: { allow?: string[]; deny?: string[] }): boolean {
  const all = { allow: rules.allow ?? [], deny: rules.deny ?? [] };
  return imageProblem(imageReference({ image }), all, NONE) === undefined;
}

Deno.test("an image that is not taken is not taken under any other of its names", () => {
  for (
    const image of [
      "evil",
      "evil:latest",
      "library/evil",
      "docker.io/evil",
      "docker.io/library/evil:1",
      "Docker.IO/library/evil",
      "index.docker.io/library/evil",
      "index.docker.io/evil:2",
      "registry-1.docker.io/evil",
      `evil@${DIGEST}`,
    ]
  ) {
    for (const rule of ["evil", "docker.io/library/evil", "INDEX.docker.io/evil"]) {
      assert.equal(isTaken(image, { deny: [rule] }), false, `${image} by ${rule}`);
    }
  }
  assert.equal(isTaken("evil", { deny: ["evil:latest"] }), false);
  assert.equal(isTaken("evil:1", { deny: ["evil:latest"] }), true);
  assert.equal(isTaken("GHCR.io/bad/x:1", { deny: ["ghcr.io/bad/"] }), false);
  assert.equal(isTaken("ghcr.io/bad/x:1", { deny: ["GHCR.io"] }), false);
  assert.equal(isTaken("evilish", { deny: ["evil"] }), true);
});

Deno.test("what is taken alone is taken under its own names, and nothing that only begins so", () => {
  const rules = { allow: ["docker.io/library/", "ghcr.io/acme/web:1"] };
  for (const image of ["nginx", "docker.io/nginx:1", "index.docker.io/library/nginx"]) {
    assert.equal(isTaken(image, rules), true, image);
  }
  for (const image of ["a/nginx", "docker.io.evil.example/library/x", "ghcr.io/acme/web:12"]) {
    assert.equal(isTaken(image, rules), false, image);
  }
});

Deno.test("an image that is denied by its digest is not started under a tag", async () => {
  await using world = new LeaseWorld();
  world.settings = { ...world.settings, images: { allow: [], deny: [`sha256:${IMAGE_DIGEST}`] } };
  await using one = await world.start();
  const answer = await world.ask(one, ALICE, {
    type: "spawn",
    token: safeToken("s1", 180),
    specId: "basic",
    image: "ubuntu:22.04",
    sshUsername: "user",
    sshPassword: "W9ZG2GIUOWiPkYID",
  });
  assert.equal(answer.type === "error" && answer.error, "denied", JSON.stringify(answer));
  assert.equal(world.backend.instances.size, 0);
  assert.equal(world.till.balanceSat, 0);
});
