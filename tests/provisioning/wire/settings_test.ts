import assert from "node:assert/strict";
import fc from "fast-check";
import { SeedmintError } from "../../../src/core/errors.ts";
import { nsec } from "../../support/nsec.ts";
import {
  importConfig,
  importEnv,
  podSpecsFileOf,
  readEnvFile,
  readPodSpecs,
} from "../../../provisioning/wire/mod.ts";
import { SECRETS } from "./fixtures.ts";

const SECRET_HEX = SECRETS.provider.toHex();

/** As the templates of Paygress have it, filled in. */
const ENV = `# Service Configuration
RUN_MODE=nostr
BIND_ADDR=0.0.0.0:8080
CASHU_DB_PATH=/app/data/cashu.db
POD_NAMESPACE=user-workloads
MINIMUM_POD_DURATION_SECONDS=60
ENABLE_CLEANUP_TASK=true

# Nostr Configuration
NOSTR_RELAYS=wss://relay.damus.io,wss://nos.lol
NOSTR_PRIVATE_KEY=${SECRET_HEX}

# Cashu Configuration
WHITELISTED_MINTS=https://Mint.Example/,https://testnut.cashu.space

# SSH Pod Configuration
BASE_IMAGE=linuxserver/openssh-server:latest
SSH_HOST=203.0.113.5
SSH_PORT_RANGE_START=2000
SSH_PORT_RANGE_END=3000

# Pod Specifications (JSON file path)
POD_SPECS_FILE=pod-specs.json
`;

const SPECS = `[
  {"id":"basic","name":"Basic","description":"1 CPU core, 1GB RAM","cpu_millicores":1000,"memory_mb":1024,"rate_msats_per_sec":100},
  {"id":"premium","name":"Premium","description":"4 CPU cores","cpu_millicores":4000,"memory_mb":4096,"rate_msats_per_sec":400}
]`;

function assertInvalid(action: () => unknown, pattern: RegExp): void {
  assert.throws(action, (error) => {
    assert.ok(error instanceof SeedmintError && error.code === "invalid", String(error));
    assert.match(error.message, pattern);
    return true;
  });
}

Deno.test("the environment file of a Paygress provider is taken over with its tiers", () => {
  const variables = readEnvFile(ENV);
  assert.equal(podSpecsFileOf(variables), "pod-specs.json");
  assert.deepEqual(importEnv(variables, { podSpecs: SPECS }), {
    specs: readPodSpecs(SPECS),
    relays: ["wss://relay.damus.io", "wss://nos.lol"],
    mints: ["https://mint.example", "https://testnut.cashu.space"],
    minDurationS: 60,
    sshPorts: { first: 2000, last: 3000 },
    publicHost: "203.0.113.5",
    baseImage: "linuxserver/openssh-server:latest",
    httpBind: "0.0.0.0:8080",
    secretKey: SECRETS.provider,
    warnings: [],
  });
});

Deno.test("importEnv() takes tiers from the variable before those of the file", () => {
  const variables = readEnvFile(`${ENV}\nPOD_SPECS='${SPECS.replaceAll("\n", " ")}'\n`);
  assert.equal(podSpecsFileOf(variables), undefined);
  assert.deepEqual(importEnv(variables).specs, readPodSpecs(SPECS));
});

Deno.test("importEnv() makes one tier of the single rate of the first versions", () => {
  const { specs } = importEnv(readEnvFile("PAYMENT_RATE_MSATS_PER_SEC=100"));
  assert.deepEqual(specs?.map((spec) => spec.rateMsatPerS), [100]);
  const none = importEnv(readEnvFile("PAYMENT_RATE_MSATS_PER_SEC=0"));
  assert.deepEqual([none.specs, none.warnings.length], [undefined, 1]);
});

Deno.test("importEnv() takes a key as nsec, and leaves templates that were not filled in", () => {
  const asNsec = importEnv(readEnvFile(`NOSTR_PRIVATE_KEY=${nsec(SECRETS.provider)}`));
  assert.deepEqual(asNsec, { secretKey: SECRETS.provider, warnings: [] });
  const template = importEnv(
    readEnvFile("NOSTR_PRIVATE_KEY=YOUR_NOSTR_PRIVATE_KEY_HERE\nSSH_HOST=YOUR_SERVER_PUBLIC_IP"),
  );
  assert.deepEqual([template.secretKey, template.publicHost], [undefined, undefined]);
});

Deno.test("what cannot be taken over is a warning that repeats no value", () => {
  const wrong = {
    NOSTR_RELAYS: "hunter2-relay,wss://good.example",
    WHITELISTED_MINTS: "https://user:hunter2@mint.example",
    MINIMUM_POD_DURATION_SECONDS: "hunter2",
    SSH_PORT_RANGE_START: "3000",
    SSH_PORT_RANGE_END: "2000",
    NOSTR_PRIVATE_KEY: "hunter2",
    POD_SPECS_FILE: "hunter2.json",
  };
  const settings = importEnv(new Map(Object.entries(wrong)));
  const { warnings, ...taken } = settings;
  assert.deepEqual(taken, { relays: ["wss://good.example"] });
  assert.equal(warnings.length, 6);
  assert.equal(warnings.some((warning) => warning.includes("hunter2")), false);
});

Deno.test("the JSON configuration of a later Paygress provider is taken over", () => {
  const config = {
    backend_type: "Docker",
    vmid_range_start: 1000,
    nostr_private_key: SECRET_HEX,
    nostr_relays: ["wss://nos.lol", "wss://nos.lol"],
    provider_name: "SwiftGoldenOwl",
    provider_location: null,
    public_ip: "203.0.113.5",
    capabilities: ["lxc"],
    specs: JSON.parse(SPECS),
    whitelisted_mints: ["https://mint.example/"],
    minimum_duration_seconds: 60,
    ssh_port_start: 30000,
    ssh_port_end: 31000,
    http_bind_addr: "127.0.0.1:8080",
  };
  assert.deepEqual(importConfig(JSON.stringify(config)), {
    specs: readPodSpecs(SPECS),
    relays: ["wss://nos.lol"],
    mints: ["https://mint.example"],
    capabilities: ["lxc"],
    minDurationS: 60,
    sshPorts: { first: 30000, last: 31000 },
    name: "SwiftGoldenOwl",
    publicHost: "203.0.113.5",
    httpBind: "127.0.0.1:8080",
    secretKey: SECRETS.provider,
    warnings: [],
  });
  assertInvalid(() => importConfig("["), /no JSON object/);
});

Deno.test("readPodSpecs() names the tier that is wrong", () => {
  const spec = JSON.parse(SPECS)[0];
  const read = (...list: unknown[]) => () => readPodSpecs(JSON.stringify(list));
  assertInvalid(read(spec, { ...spec, id: "b", memory_mb: "1" }), /tier 2/);
  assertInvalid(read({ ...spec, rate_msats_per_sec: 0 }), /basic costs nothing/);
  assertInvalid(read(spec, spec), /same id/);
  assertInvalid(read(), /1 to 64/);
  assertInvalid(read(...Array(65).fill(spec)), /1 to 64/);
  assertInvalid(() => readPodSpecs("{"), /JSON list/);
  const { name: _, description: __, ...bare } = spec;
  assert.equal(readPodSpecs(JSON.stringify([bare]))[0]!.name, "basic");
});

Deno.test("readEnvFile() knows comments, export, quotes and values of several lines", () => {
  const text = [
    "\uFEFF# a comment",
    "",
    "  export A = one # behind",
    "B='# no comment'",
    'C="with \\"quotes\\" and \\n break" # behind',
    "D=a#b",
    "E=",
    "F='several",
    "lines'",
    'G="[',
    '  1]"',
    "A=two",
  ].join("\r\n");
  assert.deepEqual([...readEnvFile(text)], [
    ["A", "two"],
    ["B", "# no comment"],
    ["C", 'with "quotes" and \n break'],
    ["D", "a#b"],
    ["E", ""],
    ["F", "several\nlines"],
    ["G", "[\n  1]"],
  ]);
  assertInvalid(() => readEnvFile("A=1\nnonsense"), /line 2/);
  assertInvalid(() => readEnvFile("x".repeat(70_000)), /at most/);
});

Deno.test("readEnvFile() gives what was written, or a refusal, and never another error", () => {
  const value = fc.stringMatching(/^[a-z0-9:/.,{}[\]-]{0,20}$/);
  fc.assert(fc.property(fc.dictionary(fc.stringMatching(/^[A-Z_]{1,8}$/), value), (wanted) => {
    for (const quote of ["", "'", '"']) {
      const lines = Object.entries(wanted).map(([name, text]) => `${name}=${quote}${text}${quote}`);
      assert.deepEqual([...readEnvFile(lines.join("\n"))], Object.entries(wanted));
    }
  }));
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => {
    try {
      readEnvFile(text);
    } catch (error) {
      assert.ok(error instanceof SeedmintError);
    }
  }));
});
