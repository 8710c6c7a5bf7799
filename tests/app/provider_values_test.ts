import assert from "node:assert/strict";
import {
  imageRuleSchema,
  portRangeSchema,
  tierMembers,
  tierSchema,
  tierText,
} from "../../src/app/config/provider_values.ts";
import { loadConfig } from "../../src/app/config/load.ts";
import { providerSettings } from "../../src/app/lifecycle/provider/provider_settings_of.ts";
import { readConfig } from "../../src/app/lifecycle/provider/image_config.ts";
import { checkSettings } from "../../provisioning/provider/mod.ts";
import { v } from "../../src/app/schema.ts";

const TIER = {
  id: "basic",
  name: "basic",
  description: "",
  cpuMillicores: 1500,
  memoryMb: 1024,
  diskMb: 10_240,
  rateMsatPerS: 50,
};

Deno.test("a tier is read from one word or from a table, and written so that it is read again", () => {
  assert.deepEqual(v.parse(tierSchema, "basic=1500m/1GiB/10GiB/50msat"), TIER);
  assert.deepEqual(v.parse(tierSchema, "basic=1.5/1024MiB/10GiB/50"), TIER);
  assert.equal(v.parse(tierSchema, "a=1/1GiB/1GiB/2sat").rateMsatPerS, 2000);
  assert.deepEqual(v.parse(tierSchema, tierText(TIER)), TIER);
  assert.deepEqual(v.parse(tierSchema, tierMembers(TIER)), TIER);
  const { disk_mb: _, ...old } = tierMembers(TIER);
  assert.equal(v.parse(tierSchema, old).diskMb, 10 * 1024, "pod-specs name no disk");
  const wrong = [
    "basic",
    "basic=1500m/1GiB/10GiB",
    "basic=1500m/1024/10GiB/50",
    "basic=0m/1GiB/10GiB/50",
    "basic=1500m/1GiB/10GiB/0",
    "b c=1500m/1GiB/10GiB/5",
    { id: "basic" },
    { ...tierMembers(TIER), price: 7 },
    { ...tierMembers(TIER), id: "" },
    { ...tierMembers(TIER), cpu_millicores: 1.5 },
  ];
  for (const input of wrong) {
    assert.equal(v.safeParse(tierSchema, input).success, false, JSON.stringify(input));
  }
});

Deno.test("ranges of ports and rules about images are read strictly", () => {
  assert.deepEqual(v.parse(portRangeSchema, "30000-31999"), { first: 30_000, last: 31_999 });
  for (const text of ["80-90", "31999-30000", "30000", "30000-70000", "x-y"]) {
    assert.equal(v.safeParse(portRangeSchema, text).success, false, text);
  }
  assert.deepEqual(v.parse(imageRuleSchema, "!ghcr.io/evil/"), {
    allows: false,
    match: "ghcr.io/evil/",
  });
  const digest = "ab".repeat(32);
  assert.deepEqual(v.parse(imageRuleSchema, `sha256:${digest}`), { allows: true, match: digest });
  for (const text of ["", "!", "a b", "../x"]) {
    assert.equal(v.safeParse(imageRuleSchema, text).success, false, text);
  }
});

Deno.test("settings of a file with tables of tiers become those of a provider", async () => {
  const file = `
provider-name = "North"
provider-location = "EU"
provider-images = ["docker.io/library/", "!docker.io/library/bad"]
provider-memory = "4GiB"
provider-ports = "40000-40100"
provider-grace = "2m"
[[provider-tier]]
id = "small"
name = "Small"
cpu_millicores = 500
memory_mb = 256
rate_msats_per_sec = 10
`;
  const { values } = await loadConfig({
    flags: {},
    variable: () => undefined,
    readFile: (path) => Promise.resolve(path.endsWith("seedmint.toml") ? file : undefined),
  });
  const settings = providerSettings(values, "ab".repeat(32));
  checkSettings(settings);
  assert.equal(settings.name, "North");
  assert.deepEqual(settings.capacity, { memoryMb: 4096 });
  assert.deepEqual(settings.images, {
    allow: ["docker.io/library/"],
    deny: ["docker.io/library/bad"],
  });
  assert.deepEqual(settings.ports, { first: 40_000, last: 40_100 });
  assert.equal(settings.graceMs, 120_000);
  assert.deepEqual(settings.specs.map(({ id, name, diskMb }) => [id, name, diskMb]), [
    ["small", "Small", 10_240],
  ]);
  assert.equal(settings.apiEndpoint, undefined, "nothing is told of an address without a listener");
});

Deno.test("readConfig takes what the specification lets an image say, and nothing else", () => {
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const diff = `sha256:${"ab".repeat(32)}`;
  const rootfs = { type: "layers", diff_ids: [diff] };
  const read = readConfig(bytes({
    rootfs,
    config: { User: "web", WorkingDir: "/srv", Env: null, Entrypoint: ["/a"], Cmd: ["b", ""] },
  }));
  assert.deepEqual(read, {
    config: {
      user: "web",
      workingDir: "/srv",
      env: [],
      entrypoint: ["/a"],
      cmd: ["b", ""],
      exposedPorts: [],
    },
    diffIds: ["ab".repeat(32)],
  });
  assert.deepEqual(readConfig(bytes({ rootfs })).config.cmd, [], "no config at all");
  const wrong: unknown[] = [
    [],
    { config: {} },
    { rootfs: { type: "layers", diff_ids: ["md5:1"] } },
    { rootfs: { type: "layers", diff_ids: new Array(200).fill(diff) } },
    { rootfs, config: { Env: "A=1" } },
    { rootfs, config: { Cmd: [1] } },
    { rootfs, config: { User: "a\0b" } },
  ];
  for (const value of wrong) {
    assert.throws(() => readConfig(bytes(value)), /its configuration cannot be used/);
  }
  assert.throws(() => readConfig(new Uint8Array([255])), /no JSON/);
});
