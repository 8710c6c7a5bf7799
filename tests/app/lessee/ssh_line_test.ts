import assert from "node:assert/strict";
import fc from "fast-check";
import { fingerprintOf, makeHostKey } from "../../../provisioning/ssh/mod.ts";
import { systemRandom } from "../../../src/host/system.ts";
import {
  knownHostsLine,
  scanArguments,
  shellLine,
  sshArguments,
  sshTargetOf,
} from "../../../src/app/cli/verbs/lease/ssh_line.ts";
import { leaseOf } from "./lease_views.ts";

const KEY = await makeHostKey(systemRandom);
const OTHER = await makeHostKey(systemRandom);

Deno.test("sshTargetOf() takes hosts, ports and users, and nothing that ssh could take for a flag", () => {
  const hostile = [
    "-oProxyCommand=id",
    "--",
    "a b",
    "host;id",
    "$(id)",
    "`id`",
    "a@b",
    "",
    "host\n",
    "[::1]",
    "%h",
    "host/../x",
    "-",
    ".host",
    "host-",
    "a".repeat(300),
  ];
  for (const sshHost of hostile) {
    assert.throws(() => sshTargetOf(leaseOf({ sshHost })), /no host, port, user/, sshHost);
  }
  for (const sshUser of ["-l", "root;id", "a b", "", "root\0", "%r"]) {
    assert.throws(() => sshTargetOf(leaseOf({ sshUser })), /no host, port, user/, sshUser);
  }
  for (const sshPort of [0, -1, 65_536, 1.5, NaN]) {
    assert.throws(() => sshTargetOf(leaseOf({ sshPort })), /no host, port, user/);
  }
  for (const hostKeyFingerprint of ["SHA256:abc", "MD5:00", "SHA256:" + "\n".repeat(43)]) {
    assert.throws(() => sshTargetOf(leaseOf({ hostKeyFingerprint })), /no host, port, user/);
  }
  for (const sshHost of ["192.0.2.7", "2001:db8::7", "node-7.example.org", "localhost", "a"]) {
    assert.equal(sshTargetOf(leaseOf({ sshHost })).host, sshHost);
  }
});

Deno.test("whatever a provider says, ssh gets one destination, behind the end of flags", () => {
  fc.assert(fc.property(fc.string(), fc.string(), fc.integer(), (sshHost, sshUser, sshPort) => {
    let target;
    try {
      target = sshTargetOf(leaseOf({ sshHost, sshUser, sshPort }));
    } catch {
      return;
    }
    const args = sshArguments(target, {
      knownHosts: "/data/x",
      isPinned: true,
      command: [],
      isTerminal: false,
    });
    assert.deepEqual(args.slice(-2), ["--", sshHost]);
    assert.ok(!sshHost.startsWith("-") && !/[\s;$`'"%@]/.test(sshHost));
    assert.deepEqual(scanArguments(target).slice(-2), ["--", sshHost]);
  }));
});

Deno.test("a lease that is over, or not there yet, is no place to log in", () => {
  assert.throws(() => sshTargetOf(leaseOf({ state: "ended" })), /it is over/);
  assert.throws(() => sshTargetOf(leaseOf({ state: "failed" })), /it is over/);
  assert.throws(() => sshTargetOf(leaseOf({ state: "pending" })), /not ready yet/);
  assert.throws(() => sshTargetOf(leaseOf({ sshHost: null })), /did not say where/);
});

Deno.test("knownHostsLine() keeps the key that the provider promised, and no other", () => {
  const target = { alias: "seedmint-lease-abc", fingerprint: KEY.fingerprint };
  const scanned = [
    "# 192.0.2.7:2222 SSH-2.0-dropbear",
    `[192.0.2.7]:2222 ${OTHER.publicKey}`,
    `[192.0.2.7]:2222 ${KEY.publicKey}`,
  ].join("\n");
  const line = knownHostsLine(scanned, target, fingerprintOf);
  assert.equal(line, `seedmint-lease-abc ${KEY.publicKey}`);
  assert.equal(
    knownHostsLine(line!, target, fingerprintOf),
    line,
    "what was written is read again",
  );
  const wrong = `[192.0.2.7]:2222 ${OTHER.publicKey}`;
  assert.equal(knownHostsLine(wrong, target, fingerprintOf), undefined);
  assert.equal(knownHostsLine("nonsense\n* ssh-ed25519 !!!!", target, fingerprintOf), undefined);
});

Deno.test("ssh is told to believe that one key, to forward nothing, and to use one identity", () => {
  const target = sshTargetOf(leaseOf({ identityFile: "/data dir/50%/id_ed25519" }));
  const options = { knownHosts: "/data dir/known", command: ["uname", "-a"], isTerminal: true };
  const args = sshArguments(target, { ...options, isPinned: true });
  for (
    const setting of [
      "StrictHostKeyChecking=yes",
      'UserKnownHostsFile="/data dir/known"',
      "GlobalKnownHostsFile=/dev/null",
      "HostKeyAlias=seedmint-lease-abcd1234",
      "ForwardAgent=no",
      "ForwardX11=no",
      "IdentitiesOnly=yes",
      'IdentityFile="/data dir/50%%/id_ed25519"',
    ]
  ) assert.equal(args[args.indexOf(setting) - 1], "-o", setting);
  assert.deepEqual(args.slice(-5), ["-t", "--", "192.0.2.7", "uname", "-a"]);
  const first = sshArguments(target, { ...options, isPinned: false, isTerminal: false });
  assert.ok(first.includes("StrictHostKeyChecking=accept-new") && !first.includes("-t"));
});

Deno.test("shellLine() quotes what a shell would change", () => {
  assert.equal(shellLine("ssh", ["-p", "22", "a b", "it's"]), `ssh -p 22 'a b' 'it'\\''s'`);
});

Deno.test("a password is no argument of ssh, which asks for it once", () => {
  const target = sshTargetOf(leaseOf({ sshPassword: "hQ7x!pE2", identityFile: null }));
  const args = sshArguments(target, {
    knownHosts: "/data/x",
    isPinned: false,
    command: ["id"],
    isTerminal: false,
  });
  assert.equal(target.password, "hQ7x!pE2");
  assert.ok(args.includes("NumberOfPasswordPrompts=1"));
  assert.ok(args.includes("PubkeyAuthentication=no"), "nobody's keys are shown to a stranger");
  assert.doesNotMatch(args.join(" "), /hQ7x/);
});

const hasSsh = await new Deno.Command("ssh", { args: ["-V"], stderr: "null" }).output()
  .then(({ success }) => success, () => false);
if (!hasSsh) console.warn("skipped: what ssh makes of a user's configuration, for it is not here");

Deno.test("nothing that a user's ssh configuration has for all hosts holds for a lease", {
  ignore: !hasSsh,
}, async () => {
  const folder = await Deno.makeTempDir();
  try {
    const config = `${folder}/config`;
    // A shared connection would be that of the lease that had the port before, whose key nobody asks.
    await Deno.writeTextFile(
      config,
      [
        "ControlMaster auto",
        "ControlPath /tmp/cm-%r@%h:%p",
        "ControlPersist 10m",
        "KnownHostsCommand /bin/cat /etc/ssh/anybody",
        "VerifyHostKeyDNS yes",
        "RemoteForward 8080 127.0.0.1:631",
        "LocalForward 8081 127.0.0.1:80",
        "DynamicForward 1080",
        "GSSAPIDelegateCredentials yes",
        "HostbasedAuthentication yes",
        "Tunnel yes",
        "RemoteCommand id",
        "ForwardAgent yes",
      ].map((line) => `${line}\n`).join(""),
    );
    const args = sshArguments(sshTargetOf(leaseOf({})), {
      knownHosts: "/data/x",
      isPinned: true,
      command: [],
      isTerminal: false,
    });
    const ssh = new Deno.Command("ssh", { args: ["-F", config, "-G", ...args] });
    const { code, stdout, stderr } = await ssh.output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const said = new Map(
      new TextDecoder().decode(stdout).trim().split("\n").map((line) => {
        const [name, ...words] = line.split(" ");
        return [name!, words.join(" ")];
      }),
    );
    const wanted = {
      controlmaster: "false",
      clearallforwardings: "yes",
      verifyhostkeydns: "false",
      gssapidelegatecredentials: "no",
      hostbasedauthentication: "no",
      tunnel: "false",
      forwardagent: "no",
      stricthostkeychecking: "true",
    };
    for (const [name, value] of Object.entries(wanted)) {
      assert.equal(said.get(name) ?? value, value, name);
    }
    for (const name of ["controlpath", "knownhostscommand", "remotecommand"]) {
      assert.ok(["none", undefined].includes(said.get(name)), `${name} ${said.get(name)}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
