import assert from "node:assert/strict";
import fc from "fast-check";
import {
  changeRoot,
  delegation,
  DEVELOPMENT_SEED,
  newRoot,
  pinnedRootFault,
  revocation,
  rootKeyOf,
  rootProgress,
  rotation,
  type SignedRoot,
  signRoot,
  walkRoots,
} from "../../../trust/root/mod.ts";
import { ed25519PublicKey } from "../../../src/core/ed25519.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { DAY_S, keyOf, keysOf, NOW_S, Publisher, secretOf } from "../publisher.ts";

const PRODUCTION = { development: false };
const LATER_S = NOW_S + 400 * DAY_S;

/** Three versions: two of three keys, then one of them replaced, then a role. */
async function threeVersions(): Promise<Publisher> {
  const labels = ["root", "root/1", "root/2"];
  const publisher = await Publisher.begin({ labels, threshold: 2 });
  const keys = await keysOf("root/2", "root/3", "ci");
  await publisher.change(
    rotation({ add: [keys["root/3"]], remove: [keys["root/2"]], expiresS: LATER_S }),
    ["root", "root/1"],
  );
  await publisher.change(
    delegation("ci", { keys: [keys.ci], threshold: 1, catalogs: ["nightly-*"] }),
    ["root/1", "root/3"],
  );
  return publisher;
}

Deno.test("walkRoots() goes from any version to the highest, in whatever order the others come", async () => {
  const { chain } = await threeVersions();
  for (const order of [[0, 1, 2], [2, 1, 0], [1, 2], [2, 1, 1, 2]]) {
    const walk = await walkRoots(chain[0]!, order.map((index) => chain[index]!), PRODUCTION);
    assert.deepEqual(walk.steps, chain.slice(1));
    assert.deepEqual(walk.refused, []);
  }
  assert.deepEqual((await walkRoots(chain[1]!, chain, PRODUCTION)).steps, [chain[2]]);
});

Deno.test("walkRoots() stops before a version that is left out", async () => {
  const { chain } = await threeVersions();
  const walk = await walkRoots(chain[0]!, [chain[2]!], PRODUCTION);
  assert.deepEqual(walk.steps, []);
});

Deno.test("walkRoots() wants the threshold of the version before and of the new one", async () => {
  const { chain } = await threeVersions();
  const bare = { ...chain[1]!, signatures: [] };
  const by = async (...labels: string[]) => {
    let one: SignedRoot = bare;
    for (const label of labels) one = await signRoot(one, secretOf(label));
    return (await walkRoots(chain[0]!, [one], PRODUCTION));
  };
  assert.match((await by()).refused[0]!, /0 of 2 signatures of the keys before/);
  assert.match((await by("root")).refused[0]!, /1 of 2 signatures of the keys before/);
  // The old threshold alone, with the key that goes: the new version lacks one of its own.
  assert.match((await by("root", "root/2")).refused[0]!, /1 of 2 signatures of its own/);
  // The new threshold alone, with the key that comes.
  assert.match((await by("root", "root/3")).refused[0]!, /1 of 2 signatures of the keys before/);
  assert.match((await by("ci", "x", "y")).refused[0]!, /0 of 2/);
  assert.equal((await by("root", "root/1")).steps.length, 1);
});

Deno.test("walkRoots() refuses any change of a signed version, and signatures that were moved", async () => {
  const { chain } = await threeVersions();
  const [first, second] = [chain[0]!, chain[1]!];
  const changes: readonly Partial<SignedRoot["signed"]>[] = [
    { threshold: 1 },
    { expiresS: second.signed.expiresS + 1 },
    { keys: first.signed.keys },
    { name: "evil" },
    { id: "00".repeat(16) },
    { use: "development" },
  ];
  for (const change of changes) {
    const forged = { ...second, signed: { ...second.signed, ...change } };
    assert.deepEqual((await walkRoots(first, [forged], PRODUCTION)).steps, [], String(change));
  }
  const [one, two] = second.signatures;
  const moved = [{ key: one!.key, sig: two!.sig }, { key: two!.key, sig: one!.sig }];
  const walk = await walkRoots(first, [{ ...second, signatures: moved }], PRODUCTION);
  assert.match(walk.refused[0]!, /0 of 2/);
});

Deno.test("walkRoots() refuses a version that takes a revocation back, or was issued before", async () => {
  const publisher = await Publisher.begin({ labels: ["root", "root/1"] });
  const { "root/1": gone } = await keysOf("root/1");
  await publisher.change(revocation({ key: gone, reason: "lost", atS: NOW_S }));
  const after = await changeRoot(
    publisher.chain,
    rotation({ add: [], remove: [], expiresS: LATER_S }),
    NOW_S + 10,
  );
  const draft = after.at(-1)!;
  const forget = await signRoot(
    { signed: { ...draft.signed, revocations: [] }, signatures: [] },
    secretOf("root"),
  );
  const early = await signRoot(
    { signed: { ...draft.signed, issuedS: NOW_S - 1 }, signatures: [] },
    secretOf("root"),
  );
  const walk = await walkRoots(publisher.newest, [forget, early], PRODUCTION);
  assert.deepEqual(walk.steps, []);
  assert.match(walk.refused.join(), /takes back a revocation/);
  assert.match(walk.refused.join(), /issued before/);
});

Deno.test("walkRoots() tells when two different versions of one number are signed", async () => {
  const { chain } = await threeVersions();
  const other = await changeRoot(
    chain.slice(0, 1),
    rotation({ add: [], remove: [], expiresS: LATER_S + 1 }),
    NOW_S,
  );
  let fork = other.at(-1)!;
  for (const label of ["root", "root/1"]) fork = await signRoot(fork, secretOf(label));
  const walk = await walkRoots(chain[0]!, [chain[1]!, fork], PRODUCTION);
  assert.deepEqual(walk.steps, [chain[1]]);
  assert.match(walk.refused.join(), /two different versions 2/);
});

Deno.test("a version that revokes the only key is signed by it once more, and by its successor", async () => {
  const publisher = await Publisher.begin();
  const { root, "root/1": next } = await keysOf("root", "root/1");
  await publisher.change(
    revocation({ key: root, reason: "stolen", atS: NOW_S, replacement: next }),
    ["root", "root/1"],
  );
  const [first, second] = publisher.chain;
  assert.deepEqual((await walkRoots(first!, [second!], PRODUCTION)).steps, [second]);
  // From then on the old key makes no further version.
  await publisher.change(rotation({ add: [], remove: [], expiresS: LATER_S }), ["root"]);
  assert.match(
    (await walkRoots(second!, [publisher.newest], PRODUCTION)).refused.join(),
    /0 of 1 signatures of the keys before/,
  );
});

Deno.test("pinnedRootFault() wants a root's own threshold, and no development", async () => {
  const { newest } = await Publisher.begin({ labels: ["root", "root/1"], threshold: 2 });
  assert.equal(await pinnedRootFault(newest, PRODUCTION), undefined);
  const half = { ...newest, signatures: newest.signatures.slice(0, 1) };
  assert.match((await pinnedRootFault(half, PRODUCTION))!, /1 of 2 signatures/);
  const development = await Publisher.begin({ use: "development" });
  assert.match((await pinnedRootFault(development.newest, PRODUCTION))!, /for development/);
  assert.equal(await pinnedRootFault(development.newest, { development: true }), undefined);
});

Deno.test("a root that lists a key that everybody knows is refused, whatever it says it is for", async () => {
  const secret = rootKeyOf(DEVELOPMENT_SEED, "root");
  const known = (await ed25519PublicKey(secret)).toHex();
  const own = await keyOf("root");
  const draft = newRoot({
    name: "acme",
    use: "production",
    keys: [own],
    threshold: 1,
    nowS: NOW_S,
    expiresS: LATER_S,
  }, seededRandom(1));
  const pinned = await signRoot(draft, secretOf("root"));
  const chain = await changeRoot(
    [pinned],
    delegation("ci", { keys: [known], threshold: 1, catalogs: ["*"] }),
    NOW_S,
  );
  const delegated = await signRoot(chain[1]!, secretOf("root"));
  const walk = await walkRoots(pinned, [delegated], PRODUCTION);
  assert.match(walk.refused.join(), /whose secret everybody knows/);
  assert.equal((await walkRoots(pinned, [delegated], { development: true })).steps.length, 1);
});

Deno.test("changeRoot() changes the version that lacks signatures rather than making one more", async () => {
  const publisher = await Publisher.begin({ labels: ["root", "root/1"], threshold: 2 });
  const { ci } = await keysOf("ci");
  const role = { keys: [ci], threshold: 1, catalogs: ["tools"] };
  await publisher.change(delegation("ci", role), ["root"]);
  assert.deepEqual((await rootProgress(publisher.chain)).missing, [
    "1 more of version 1's keys",
    "1 more of its own keys",
  ]);
  await publisher.change(
    rotation({ add: [], remove: [], expiresS: LATER_S + 5 }),
    ["root", "root/1"],
  );
  assert.equal(publisher.chain.length, 2);
  assert.equal(publisher.newest.signed.delegations.length, 1);
  assert.equal(publisher.newest.signed.expiresS, LATER_S + 5);
  assert.deepEqual((await rootProgress(publisher.chain)).missing, []);
});

Deno.test("changeRoot() refuses what could never count, and says what to do", async () => {
  const publisher = await Publisher.begin({ labels: ["root", "root/1"], threshold: 2 });
  const { root, ci } = await keysOf("root", "ci");
  const tries: readonly (readonly [Parameters<typeof changeRoot>[1], RegExp])[] = [
    [revocation({ key: root, reason: "x", atS: NOW_S }), /1 of the 2 keys.*--replace/],
    [rotation({ add: [], remove: [ci], expiresS: LATER_S }), /does not list it/],
    [rotation({ add: [], remove: [root], expiresS: LATER_S }), /threshold/],
    [rotation({ add: [], remove: [], expiresS: NOW_S }), /expires/],
    [delegation("ci", undefined), /does not delegate/],
    [delegation("ci", { keys: [ci], threshold: 2, catalogs: ["a"] }), /threshold/],
  ];
  for (const [change, expected] of tries) {
    await assert.rejects(changeRoot(publisher.chain, change, NOW_S), expected);
  }
});

Deno.test("no mixture of true and forged versions makes walkRoots() believe an unsigned one", async () => {
  const { chain } = await threeVersions();
  const { ci } = await keysOf("ci");
  const forge = (base: SignedRoot): SignedRoot => ({
    ...base,
    signed: { ...base.signed, keys: [ci], threshold: 1 },
  });
  const pool = [...chain, ...chain.map(forge)];
  const signed = new Set(chain);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: pool.length - 1 }), { maxLength: 12 }),
      async (picks) => {
        const walk = await walkRoots(chain[0]!, picks.map((index) => pool[index]!), PRODUCTION);
        for (const step of walk.steps) assert.ok(signed.has(step));
      },
    ),
    { numRuns: 40 },
  );
});
