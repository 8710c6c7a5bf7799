import assert from "node:assert/strict";
import fc from "fast-check";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import {
  authorizedKeysText,
  awaitBanner,
  dropbearKey,
  makeHostKey,
  prepareLogin,
  readBanner,
  readHostKey,
  readPublicKey,
  sha512Crypt,
} from "../../../provisioning/ssh/mod.ts";
import { RootedTree } from "../../../provisioning/unpack/mod.ts";

Deno.test("sha512Crypt() gives the hashes that other programs make", () => {
  assert.equal(
    sha512Crypt("Hello world!", "saltstring"),
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
  );
  assert.equal(
    sha512Crypt("we have a short salt string but not a short password", "short"),
    "$6$short$qmfj2meTBr5G2EAGIJ4vjX7RpefsD4JzpEyTAeEUJdzdxlBS6pe8gdMHm5zFftaFSj/2p2bjBwyVS9ZhWpLZt.",
  );
  assert.throws(() => sha512Crypt("x".repeat(1000), "salt"), RangeError);
});

Deno.test("makeHostKey() makes a key that reads back with the same public part", async () => {
  const key = await makeHostKey(systemRandom, "lease");
  assert.deepEqual(readHostKey(key.privateKey), key);
  assert.match(key.fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/);
  assert.equal(readPublicKey(`${key.publicKey} me@home`), `${key.publicKey} me@home`);
  const other = await makeHostKey(systemRandom);
  assert.notEqual(other.fingerprint, key.fingerprint);
});

/** Whether the real one is there to compare with; without it the vectors above hold the format. */
const hasKeygen = await keygen(["-?"]).then(() => true, () => false);

Deno.test({
  name: "readHostKey() agrees with ssh-keygen on a key of its making" +
    (hasKeygen ? "" : " (skipped: ssh-keygen is not installed)"),
  ignore: !hasKeygen,
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const path = `${folder}/key`;
      await keygen(["-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", path]);
      const key = readHostKey(await Deno.readTextFile(path));
      assert.ok((await Deno.readTextFile(`${path}.pub`)).startsWith(key.publicKey));
      const own = await makeHostKey(systemRandom, "ours");
      await Deno.writeTextFile(`${folder}/own`, own.privateKey, { mode: 0o600 });
      assert.ok((await keygen(["-l", "-f", `${folder}/own`])).includes(own.fingerprint));
      assert.equal((await keygen(["-y", "-f", `${folder}/own`])).trim(), `${own.publicKey} ours`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("dropbearKey() holds the type, then secret and public key", async () => {
  const key = dropbearKey((await makeHostKey(systemRandom)).privateKey);
  assert.equal(key.length, 4 + 11 + 4 + 64);
  assert.equal(new TextDecoder().decode(key.subarray(4, 15)), "ssh-ed25519");
});

Deno.test("readHostKey() refuses anything else, and never with another kind of error", () => {
  for (
    const text of [
      "",
      "x",
      "-----BEGIN OPENSSH PRIVATE KEY-----\n!!\n-----END OPENSSH PRIVATE KEY-----",
    ]
  ) {
    assert.throws(() => readHostKey(text), SyntaxError);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    const frame = (body: string) =>
      `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`;
    assert.throws(() => readHostKey(frame(bytes.toBase64())), SyntaxError);
  }));
});

Deno.test("authorizedKeysText() takes keys, and no options, other types or second lines", async () => {
  const { publicKey } = await makeHostKey(systemRandom);
  assert.equal(
    authorizedKeysText([publicKey, `  ${publicKey} a b `]),
    `${publicKey}\n${publicKey} a b\n`,
  );
  for (
    const bad of [
      "",
      "ssh-ed25519",
      `command="x" ${publicKey}`,
      publicKey.replace("ssh-ed25519", "ssh-dss"),
      publicKey.replace("ssh-ed25519", "ssh-rsa"),
      publicKey.slice(0, 40),
      `${publicKey}\n${publicKey}`,
      `${publicKey} ${"x".repeat(5000)}`,
    ]
  ) {
    assert.throws(() => authorizedKeysText([bad]), SyntaxError, bad.slice(0, 60));
  }
  assert.throws(() => authorizedKeysText(Array(17).fill(publicKey)), RangeError);
});

Deno.test("readBanner() reads past a greeting, and refuses what is no SSH server", async () => {
  await using good = serve("hello\r\nthere\r\nSSH-2.0-test_1 x\r\n");
  assert.equal(await readBanner(good, { clock: systemClock }), "SSH-2.0-test_1 x");
  await using bad = serve("HTTP/1.1 400 Bad\r\n\r\n");
  await assert.rejects(
    readBanner(bad, { clock: systemClock }),
    (error) => isSeedmintError(error, "unavailable"),
  );
  await using endless = serve("x".repeat(100_000));
  await assert.rejects(
    readBanner(endless, { clock: systemClock }),
    (error) => isSeedmintError(error, "unavailable"),
  );
});

Deno.test("awaitBanner() is not taken in by a port that accepts and says nothing", async () => {
  await using mute = serve(undefined);
  const startMs = performance.now();
  await assert.rejects(
    awaitBanner(mute, { clock: systemClock, withinMs: 300 }),
    (error) => isSeedmintError(error, "timeout"),
  );
  assert.ok(performance.now() - startMs < 2_000);
  const reason = new Error("stopped");
  await assert.rejects(
    awaitBanner(mute, { clock: systemClock, withinMs: 60_000, signal: AbortSignal.abort(reason) }),
    reason,
  );
});

Deno.test({
  name:
    "prepareLogin() lets a user in whatever the image has, and writes through none of its links",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  fn: async () => {
    const base = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${base}/outside`, "untouched");
      const root = `${base}/root`;
      await Deno.mkdir(`${root}/etc`, { recursive: true });
      await Deno.symlink(`${base}/outside`, `${root}/etc/passwd`);
      await Deno.symlink(`${base}`, `${root}/root`);
      const { publicKey } = await makeHostKey(systemRandom);
      const ssh = { hostPort: 1, authorizedKeys: [publicKey], hostKey: "", user: "root" };
      const options = { spareShell: "/spare/sh", random: seededRandom(1) };
      prepareLogin(new RootedTree(root, { idOffset: 0 }), ssh, options);
      assert.equal(await Deno.readTextFile(`${base}/outside`), "untouched");
      assert.match(
        await Deno.readTextFile(`${root}/etc/passwd`),
        /^root:x:0:0:root:\/root:\/spare\/sh$/m,
      );
      assert.match(await Deno.readTextFile(`${root}/etc/shadow`), /^root:\*:/);
      assert.ok(!(await Deno.stat(`${base}/.ssh`).then(() => true, () => false)));
      const home = `${root}${base}`; // where the image's link leads, inside
      assert.equal(await Deno.readTextFile(`${home}/.ssh/authorized_keys`), `${publicKey}\n`);
      prepareLogin(
        new RootedTree(root, { idOffset: 0 }),
        { ...ssh, user: "ann", password: "pass" },
        options,
      );
      assert.match(
        await Deno.readTextFile(`${root}/etc/passwd`),
        /^ann:x:1000:1000:ann:\/home\/ann:/,
      );
      assert.match(await Deno.readTextFile(`${root}/etc/shadow`), /^ann:\$6\$/);
      assert.throws(
        () => prepareLogin(new RootedTree(root, { idOffset: 0 }), { ...ssh, user: "a:b" }, options),
        SyntaxError,
      );
    } finally {
      await Deno.remove(base, { recursive: true });
    }
  },
});

/** Runs it. @throws If it is not installed. */
async function keygen(args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command("ssh-keygen", { args, stdin: "null" }).output();
  return new TextDecoder().decode(stdout);
}

/** A server that says one thing to each client. */
function serve(greeting: string | undefined) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const done = (async () => {
    for await (const connection of listener) {
      open.add(connection);
      if (greeting === undefined) continue;
      await connection.write(new TextEncoder().encode(greeting)).catch(() => {});
      if (!greeting.includes("x".repeat(1000))) connection.close();
    }
  })();
  return {
    host: "127.0.0.1",
    port: (listener.addr as Deno.NetAddr).port,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) {
        try {
          connection.close();
        } catch {
          // Closed above.
        }
      }
      await done;
    },
  };
}
