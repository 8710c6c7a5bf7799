/** Every attack that TUF names, tried on a follower: docs/threat_model.md says which rule stops it. */
import assert from "node:assert/strict";
import { FollowState } from "../../../trust/follow/mod.ts";
import { CATALOG_BYTES_MAX } from "../../../trust/catalog/mod.ts";
import { delegation, revocation, rotation } from "../../../trust/root/mod.ts";
import { DAY_S, keyOf, keysOf, NOW_S, Publisher, sealed } from "../publisher.ts";
import { World } from "./world.ts";

const LATER_S = NOW_S + 400 * DAY_S;

Deno.test("arbitrary software: an unsigned catalog is refused, and says so", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  world.show(publisher, await publisher.seal({ labels: [] }));
  const report = await world.look();
  assert.equal(report.outcome, "refused");
  assert.equal(report.refused[0]!.code, "unsigned");
  assert.match(report.refused[0]!.message, /not signed/);
  assert.equal(world.counts(), undefined);
  assert.equal(world.fetchCount, 0);
});

Deno.test("arbitrary software: a catalog signed by a stranger's key is refused", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  world.show(publisher, await publisher.seal({ labels: ["stranger"] }));
  assert.deepEqual(await world.refusals(), ["unsigned"]);
  assert.equal(world.counts(), undefined);
});

Deno.test("arbitrary software: a signature of something else, or a changed statement, is refused", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const [one, two] = [await publisher.seal(), await publisher.seal({ sequence: 2 })];
  const moved = { ...two, seal: { ...two.seal, signatures: one.seal.signatures } };
  const changed = {
    ...one,
    seal: { ...one.seal, signed: { ...one.seal.signed, expiresS: one.seal.signed.expiresS + 1 } },
  };
  // A root's own signature is of another domain.
  const foreign = { ...one, seal: { ...one.seal, signatures: publisher.newest.signatures } };
  for (const forged of [moved, changed, foreign]) {
    world.show(publisher, forged);
    assert.deepEqual(await world.refusals(), ["unsigned"]);
  }
  assert.equal(world.fetchCount, 0);
});

Deno.test("arbitrary software: bytes that were tampered with are refused after a true seal", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const good = await publisher.seal();
  const bad = new TextEncoder().encode(
    new TextDecoder().decode(good.bytes).replace("tool.bin", "evil.bin"),
  );
  world.show(publisher, good);
  world.spoil(good, bad);
  assert.deepEqual(await world.refusals(), ["content"]);
  assert.equal(world.counts(), undefined);
  world.spoil(good, good.bytes);
  assert.equal((await world.look()).outcome, "new");
});

Deno.test("rollback: an older catalog is refused, also after a restart", async () => {
  const path = await Deno.makeTempFile();
  const publisher = await Publisher.begin();
  const [old, next] = [await publisher.seal(), await publisher.seal({ sequence: 2 })];
  {
    await using world = await World.of(publisher, { state: FollowState.open(path) });
    world.show(publisher, old);
    assert.equal((await world.look()).outcome, "new");
    world.show(publisher, old, next);
    assert.equal((await world.look()).outcome, "new");
    world.show(publisher, old);
    assert.deepEqual(await world.refusals(), ["rollback"]);
    assert.equal(world.counts()!.sequence, 2);
  }
  await using world = await World.of(publisher, { state: FollowState.open(path) });
  world.show(publisher, old);
  const report = await world.look();
  assert.equal(report.outcome, "refused");
  assert.match(report.refused[0]!.message, /sequence 1, and 2 was accepted/);
  assert.equal(world.counts()!.sequence, 2);
  await Deno.remove(path);
});

Deno.test("rollback: following again does not begin anew", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const [old, next] = [await publisher.seal(), await publisher.seal({ sequence: 2 })];
  world.show(publisher, next);
  await world.look();
  const key = world.follower.keyOf("tools");
  assert.ok(world.follower.unfollow(key));
  world.follower.follow({ ...key, publishers: [], selectors: [] });
  world.show(publisher, old);
  assert.deepEqual(await world.refusals(), ["rollback"]);
});

Deno.test("rollback: the root never goes back to an older version", async () => {
  const publisher = await Publisher.begin({ labels: ["root", "root/1"] });
  const gone = await keyOf("root/1");
  await publisher.change(revocation({ key: gone, reason: "stolen", atS: NOW_S }));
  await using world = await World.of(publisher);
  world.show(publisher, await publisher.seal());
  assert.equal((await world.look()).rootVersion, 2);
  // Only the first version is shown, with a catalog that the revoked key signed.
  const bad = await publisher.seal({ sequence: 2, labels: ["root/1"] });
  world.show(publisher, { ...bad, roots: publisher.chain.slice(0, 1) });
  const report = await world.look();
  assert.equal(report.rootVersion, 2);
  assert.equal(report.refused[0]!.code, "unsigned");
  assert.match(report.refused[0]!.message, /revokes \(stolen\)/);
});

Deno.test("freeze: what expired is not taken, and what was taken stays with a problem", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const [one, two] = [await publisher.seal(), await publisher.seal({ sequence: 2 })];
  world.show(publisher, one);
  await world.look();
  world.clock.jump(31 * DAY_S * 1000);
  world.show(publisher, two);
  const report = await world.look();
  assert.equal(report.refused[0]!.code, "expired");
  assert.equal(world.counts()!.sequence, 1);
  assert.match(world.follower.status()[0]!.problems.join(), /it expired at 2027-02-14T08:00:00Z/);
});

Deno.test("freeze: turning the clock back makes nothing fresh again", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const late = NOW_S + 60 * DAY_S;
  world.clock.jump(60 * DAY_S * 1000);
  world.show(publisher, await publisher.seal({ sequence: 1, issuedS: late }));
  assert.equal((await world.look()).outcome, "new");
  world.clock.jump(-59 * DAY_S * 1000);
  world.show(publisher, await publisher.seal({ sequence: 2 }));
  assert.deepEqual(await world.refusals(), ["expired"]);
});

Deno.test("freeze: an expired root takes no new catalog, until a newer version of it comes", async () => {
  const publisher = await Publisher.begin({ expiresS: NOW_S + 10 * DAY_S });
  await using world = await World.of(publisher);
  world.show(publisher, await publisher.seal());
  await world.look();
  world.clock.jump(11 * DAY_S * 1000);
  const next = await publisher.seal({ sequence: 2 });
  world.show(publisher, next);
  assert.deepEqual(await world.refusals(), ["root-expired"]);
  assert.equal(world.counts()!.sequence, 1);
  await publisher.change(
    rotation({ add: [], remove: [], expiresS: LATER_S }),
    ["root"],
    NOW_S + 11 * DAY_S,
  );
  world.show(publisher, next);
  assert.equal((await world.look()).outcome, "new");
});

Deno.test("freeze: a delegation that ran out signs nothing", async () => {
  const publisher = await Publisher.begin();
  const { ci } = await keysOf("ci");
  await publisher.change(
    delegation("ci", { keys: [ci], threshold: 1, catalogs: ["tools"], expiresS: NOW_S + DAY_S }),
  );
  await using world = await World.of(publisher);
  world.show(publisher, await publisher.seal({ labels: ["ci"] }));
  assert.equal((await world.look()).outcome, "new");
  world.clock.jump(2 * DAY_S * 1000);
  world.show(publisher, await publisher.seal({ sequence: 2, labels: ["ci"] }));
  const { refused } = await world.look();
  assert.match(refused[0]!.message, /role ci, which may not sign.*any more/);
});

Deno.test("a catalog that is dated ahead is refused until its time", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  world.show(publisher, await publisher.seal({ issuedS: NOW_S + 2 * 3600 }));
  assert.deepEqual(await world.refusals(), ["future"]);
  world.clock.jump(3600 * 1000);
  assert.equal((await world.look()).outcome, "new");
});

Deno.test("mix and match: a seal is good for one catalog of one root alone", async () => {
  const publisher = await Publisher.begin();
  const other = await Publisher.begin({ name: "other", id: 8 });
  await using world = await World.of(publisher, { names: ["tools", "images"] });
  // The same keys signed for another name, and under another root.
  world.show(publisher, await publisher.seal({ name: "images" }), await other.seal());
  assert.deepEqual(await world.refusals(), ["foreign", "foreign"]);
  assert.equal(world.counts(), undefined);
  assert.equal((await world.look("images")).outcome, "new");
});

Deno.test("mix and match: the bytes of one version do not pass for another's", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const [one, two] = [await publisher.seal(), await publisher.seal({ sequence: 2 })];
  world.show(publisher, two);
  world.spoil(two, one.bytes);
  assert.deepEqual(await world.refusals(), ["content"]);
});

Deno.test("mix and match: two catalogs of one sequence are never both believed", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const [one, two] = [await publisher.seal(), await publisher.seal({ version: "6.6.6" })];
  world.show(publisher, one);
  await world.look();
  world.show(publisher, two);
  const report = await world.look();
  assert.equal(report.refused[0]!.code, "equivocation");
  assert.equal(world.counts()!.releases[0]!.version, "1.1.0");
});

Deno.test("replay: an old publication beside a new one changes nothing", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const all = await Promise.all([1, 2, 3].map((sequence) => publisher.seal({ sequence })));
  world.show(publisher, all[0]!, all[2]!, all[1]!);
  await world.look();
  assert.equal(world.counts()!.sequence, 3);
  assert.equal(world.fetchCount, 1);
  for (let turn = 0; turn < 3; turn++) {
    const report = await world.look();
    assert.equal(report.outcome, "same");
    assert.deepEqual(report.refused.map(({ code }) => code), ["rollback", "rollback"]);
  }
  assert.deepEqual(world.accepted, ["tools 3"]);
});

Deno.test("endless data: a seal that claims more than the limit is none, and other bytes are refused", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const good = await publisher.seal();
  world.show(publisher, good);
  world.spoil(good, new Uint8Array(CATALOG_BYTES_MAX));
  assert.deepEqual(await world.refusals(), ["content"]);
});

Deno.test("endless data: a finder that never ends is left after its time, and others are heard", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const good = await publisher.seal();
  world.show(publisher, good);
  const [shown] = world.shown;
  // Yields without end: only so many are looked at.
  world.shown = new Proxy([], {
    get: (target, name) =>
      name === Symbol.iterator
        ? function* () {
          for (;;) yield shown;
        }
        : Reflect.get(target, name),
  });
  assert.equal((await world.look()).outcome, "new");
});

Deno.test("a flood of forged publications does not keep the true one from being taken", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const good = await publisher.seal({ sequence: 2 });
  const forged = await Promise.all(
    Array.from(
      { length: 40 },
      (_, index) => publisher.seal({ sequence: 1000 + index, labels: ["stranger"] }),
    ),
  );
  world.show(publisher, ...forged, good);
  const report = await world.look();
  assert.equal(report.outcome, "new");
  assert.equal(world.counts()!.sequence, 2);
  assert.equal(report.refused.length, 40);
  assert.equal(world.fetchCount, 1);
});

Deno.test("wrong mirrors: a seal whose bytes nobody has does not keep a lower one from being taken", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const [one, two] = [await publisher.seal(), await publisher.seal({ sequence: 2 })];
  world.show(publisher, one, two);
  world.spoil(two, undefined);
  const report = await world.look();
  assert.equal(report.outcome, "new");
  assert.equal(world.counts()!.sequence, 1);
  assert.deepEqual(report.refused.map(({ code }) => code), ["content"]);
});

Deno.test("a seal over bytes that are no catalog is refused, however well it is signed", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const { catalog } = await publisher.seal();
  const bad = await sealed({ ...catalog, releases: [{ name: "x" }] } as never, ["root"]);
  world.show(publisher, bad);
  const report = await world.look();
  assert.equal(report.refused[0]!.code, "content");
  assert.match(report.refused[0]!.message, /release 1/);
});

Deno.test("what strangers forge is refused, and is no problem while something better counts", async () => {
  const publisher = await Publisher.begin();
  await using world = await World.of(publisher);
  const good = await publisher.seal();
  const forged = await publisher.seal({ sequence: 9, labels: ["stranger"] });
  world.show(publisher, forged);
  await world.look();
  world.follower.start();
  assert.equal(world.counts(), undefined);
  const fork = {
    ...publisher.newest,
    signed: { ...publisher.newest.signed, threshold: 1, version: 2 },
  };
  world.show(publisher, good, { ...forged, roots: [...publisher.chain, fork] });
  const report = await world.look();
  assert.equal(report.refused.length, 1);
  assert.deepEqual(report.problems, []);
  assert.deepEqual(world.follower.status()[0]!.problems, []);
});
