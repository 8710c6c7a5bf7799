/** Stolen keys, roles, and roots that are not what they seem, tried on a follower. */
import assert from "node:assert/strict";
import { FollowState } from "../../../trust/follow/mod.ts";
import { delegation, revocation, rotation } from "../../../trust/root/mod.ts";
import { DAY_S, keyOf, keysOf, NOW_S, Publisher } from "../publisher.ts";
import { World } from "./world.ts";

const LATER_S = NOW_S + 400 * DAY_S;

Deno.test("fast-forward: a sequence beyond all is no number, and revoking who signed a high one lets go", async () => {
  const publisher = await Publisher.begin({ labels: ["root"] });
  const keys = await keysOf("ci", "ci/1");
  const role = { threshold: 1, catalogs: ["tools"] };
  await publisher.change(delegation("ci", { ...role, keys: [keys.ci] }));
  await using world = await World.of(publisher);
  // A thief of the role's key signs as far ahead as there is.
  const theft = await publisher.seal({ sequence: 2 ** 40, labels: ["ci"] });
  world.show(publisher, theft);
  assert.equal((await world.look()).outcome, "new");
  const honest = await publisher.seal({ sequence: 2, labels: ["ci/1"] });
  world.show(publisher, honest);
  assert.deepEqual(await world.refusals(), ["unsigned"]);
  await publisher.change(
    revocation({ key: keys.ci, reason: "stolen", atS: NOW_S, replacement: keys["ci/1"] }),
  );
  world.show(publisher, theft, honest);
  const report = await world.look();
  assert.equal(report.outcome, "new");
  assert.equal(world.counts()!.sequence, 2);
});

Deno.test("rotation without revocation keeps what was learnt against rollback", async () => {
  const publisher = await Publisher.begin();
  const keys = await keysOf("ci", "ci/1");
  const role = { threshold: 1, catalogs: ["tools"] };
  await publisher.change(delegation("ci", { ...role, keys: [keys.ci] }));
  await using world = await World.of(publisher);
  world.show(publisher, await publisher.seal({ sequence: 5, labels: ["ci"] }));
  await world.look();
  await publisher.change(delegation("ci", { ...role, keys: [keys["ci/1"]] }));
  world.show(publisher, await publisher.seal({ sequence: 4, labels: ["ci/1"] }));
  assert.deepEqual(await world.refusals(), ["rollback"]);
  // What the old key signed while it was good stays.
  assert.equal(world.counts()!.sequence, 5);
  world.show(publisher, await publisher.seal({ sequence: 6, labels: ["ci"] }));
  assert.deepEqual(await world.refusals(), ["unsigned"]);
  world.show(publisher, await publisher.seal({ sequence: 6, labels: ["ci/1"] }));
  assert.equal((await world.look()).outcome, "new");
});

Deno.test("a role signs only the catalogs that it was given", async () => {
  const publisher = await Publisher.begin();
  const { ci } = await keysOf("ci");
  await publisher.change(delegation("ci", { keys: [ci], threshold: 1, catalogs: ["nightly-*"] }));
  await using world = await World.of(publisher, { names: ["tools", "nightly-tools"] });
  world.show(publisher, await publisher.seal({ labels: ["ci"] }));
  assert.match((await world.look()).refused[0]!.message, /may not sign the catalog tools/);
  world.show(publisher, await publisher.seal({ name: "nightly-tools", labels: ["ci"] }));
  assert.equal((await world.look("nightly-tools")).outcome, "new");
});

Deno.test("key compromise: fewer keys than the threshold sign nothing", async () => {
  const labels = ["root", "root/1", "root/2"];
  const publisher = await Publisher.begin({ labels, threshold: 2 });
  await using world = await World.of(publisher);
  world.show(publisher, await publisher.seal({ labels: ["root"] }));
  const { refused } = await world.look();
  assert.match(refused[0]!.message, /1 of the 2 signatures/);
  world.show(publisher, await publisher.seal({ labels: ["root", "root/2"] }));
  assert.equal((await world.look()).outcome, "new");
});

Deno.test("key compromise: one key that signs twice counts once", async () => {
  const publisher = await Publisher.begin({ labels: ["root", "root/1"], threshold: 2 });
  await using world = await World.of(publisher);
  const one = await publisher.seal({ labels: ["root"] });
  const [signature] = one.seal.signatures;
  const twice = { ...one, seal: { ...one.seal, signatures: [signature!, signature!] } };
  world.show(publisher, twice);
  assert.deepEqual(await world.refusals(), ["unsigned"]);
});

Deno.test("key compromise: what a revoked key signed stops counting, and pins nothing", async () => {
  const publisher = await Publisher.begin();
  const { ci, "ci/1": next } = await keysOf("ci", "ci/1");
  await publisher.change(delegation("ci", { keys: [ci], threshold: 1, catalogs: ["tools"] }));
  await using world = await World.of(publisher, { pins: ["docker.io/"] });
  const stolen = await publisher.seal({
    labels: ["ci"],
    change: (catalog) => ({
      ...catalog,
      images: [{
        reference: "docker.io/library/web:1",
        digest: `sha256:${"66".repeat(32)}`,
        price: "free",
        platforms: [],
        blobs: [],
      }],
    }),
  });
  world.show(publisher, stolen);
  await world.look();
  assert.ok(world.follower.pins.digestOf("docker.io/library/web:1"));
  await publisher.change(
    revocation({ key: ci, reason: "stolen", atS: NOW_S, replacement: next }),
  );
  // Nothing but the new version of the root is found.
  world.shown = [{ roots: publisher.chain, urls: [], from: "the test" }];
  const report = await world.look();
  assert.equal(report.outcome, "nothing");
  assert.equal(world.counts(), undefined);
  assert.equal(world.follower.pins.digestOf("docker.io/library/web:1"), undefined);
  world.show(publisher, stolen);
  assert.deepEqual(await world.refusals(), ["unsigned"]);
});

Deno.test("a development root is refused in production, however well it is signed", async () => {
  const publisher = await Publisher.begin({ use: "development" });
  await assert.rejects(World.of(publisher), /for development/);
  await using world = await World.of(publisher, { development: true });
  world.show(publisher, await publisher.seal());
  assert.equal((await world.look()).outcome, "new");
});

Deno.test("a root that was taken with development on does not count once it is off", async () => {
  const path = await Deno.makeTempFile();
  const publisher = await Publisher.begin({ use: "development" });
  {
    const state = FollowState.open(path);
    await using world = await World.of(publisher, { development: true, state });
    world.show(publisher, await publisher.seal());
    await world.look();
  }
  using state = FollowState.open(path);
  await assert.rejects(World.of(publisher, { state }), /for development/);
  await Deno.remove(path);
});

Deno.test("a pinned file that shows another root of the same version is refused", async () => {
  const path = await Deno.makeTempFile();
  const publisher = await Publisher.begin();
  const state = FollowState.open(path);
  {
    await using world = await World.of(publisher, { state });
    world.show(publisher, await publisher.seal());
    await world.look();
  }
  const other = await Publisher.begin({ labels: ["stranger"] });
  assert.equal(other.newest.signed.id, publisher.newest.signed.id);
  using again = FollowState.open(path);
  await assert.rejects(
    World.of(other, { state: again }),
    /another than the one that this node knows/,
  );
  await Deno.remove(path);
});

Deno.test("a follower that is far behind walks the root as far as relays lead, some versions at a time", async () => {
  const publisher = await Publisher.begin();
  for (let version = 2; version <= 40; version++) {
    await publisher.change(
      rotation({ add: [], remove: [], expiresS: NOW_S + (400 + version) * DAY_S }),
    );
  }
  await using world = await World.of(publisher);
  const sealed = await publisher.seal();
  // As relays do: the versions next to what is known, and the newest ones with the catalog.
  world.find = ({ rootVersion }) => [
    { seal: sealed.seal, roots: publisher.chain.slice(-5), urls: [], from: "the test" },
    { roots: publisher.chain.slice(rootVersion, rootVersion + 16), urls: [], from: "the test" },
  ];
  world.show(publisher, sealed);
  const report = await world.look();
  assert.deepEqual([report.outcome, report.rootVersion], ["new", 40]);
  assert.deepEqual(report.problems, []);
});

Deno.test("another signed version of a root is an alarm, and ours stays", async () => {
  const publisher = await Publisher.begin();
  const first = publisher.chain;
  await publisher.change(rotation({ add: [], remove: [], expiresS: LATER_S }));
  const other = await Publisher.begin();
  await other.change(rotation({ add: [await keyOf("root/1")], remove: [], expiresS: LATER_S }));
  await using world = await World.of(publisher, { pinned: first });
  const sealed = await publisher.seal();
  world.show(publisher, sealed);
  await world.look();
  world.show(publisher, { ...sealed, roots: other.chain });
  const report = await world.look();
  assert.match(report.problems.join(), /another version 2 of root acme, and it is signed/);
  assert.deepEqual(world.follower.chain(publisher.newest.signed.id), publisher.chain);
});
