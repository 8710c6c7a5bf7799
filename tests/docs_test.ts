/** The documentation against the code: constants, flags, links. */
import assert from "node:assert/strict";
import { NEEDED_PERMISSIONS, PERMISSION_FLAGS } from "../src/app/permissions.ts";
import { settingsMarkdown } from "../src/app/cli/verbs/config.ts";
import { PARAM_SCHEMAS } from "../src/app/control/schemas.ts";
import { TICKET_CHARS_MAX, TICKET_PREFIX } from "../src/app/ticket.ts";
import { COLLECTION_CHILDREN_MAX } from "../swarm/collection.ts";
import { CATALOG_PROTOCOL } from "../src/app/lifecycle/catalog_peers.ts";
import { CATALOG_KIND } from "../trust/follow/mod.ts";
import { CASCADE_PROTOCOL } from "../swarm/cascade/limits.ts";
import { DIRECT_PATH } from "../swarm/direct/http.ts";
import { ADVERT_KIND, NODE_ADVERT_KIND, TOPIC } from "../swarm/discovery/advert.ts";
import {
  BLOBS_PROTOCOL,
  HAVE_HASHES_MAX,
  MESSAGE_BYTES_MAX,
  WANT_BOUNDARIES_MAX,
} from "../swarm/protocol/limits.ts";

import {
  KIND_HEARTBEAT,
  KIND_LEGACY_OFFER,
  KIND_LIVE_HEARTBEAT,
  KIND_OFFER,
  KIND_PROMOTION,
  KIND_REVOCATION,
} from "../provisioning/wire/mod.ts";

const ROOT = new URL("../", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));

Deno.test("docs/protocols.md has the constants of the code", async () => {
  const text = await read("docs/protocols.md");
  const thousands = (count: number) => count.toLocaleString("en-US");
  const wanted = [
    `\`${BLOBS_PROTOCOL}\``,
    `\`${CASCADE_PROTOCOL}\``,
    `\`POST ${DIRECT_PATH}\``,
    `kind \`${ADVERT_KIND}\``,
    `kind \`${NODE_ADVERT_KIND}\``,
    `kind \`${CATALOG_KIND}\``,
    `\`${CATALOG_PROTOCOL}\``,
    ...[
      KIND_OFFER,
      KIND_HEARTBEAT,
      KIND_LIVE_HEARTBEAT,
      KIND_REVOCATION,
      KIND_PROMOTION,
      KIND_LEGACY_OFFER,
    ].map((kind) => `kind \`${kind}\``),
    `\`t\` = \`${TOPIC}\``,
    `\`${TICKET_PREFIX}\``,
    `${thousands(TICKET_CHARS_MAX)} characters`,
    `${thousands(HAVE_HASHES_MAX)} of`,
    `${thousands(WANT_BOUNDARIES_MAX)} boundaries`,
    `at most ${thousands(COLLECTION_CHILDREN_MAX)} of them`,
  ];
  for (const part of wanted) assert.ok(text.includes(part), `docs/protocols.md lacks ${part}`);
  for (const type of Object.keys(MESSAGE_BYTES_MAX)) {
    assert.ok(text.includes(`\`${type}\``) || text.includes(type), `it lacks the message ${type}`);
  }
});

Deno.test("docs/protocols.md lists every method, code of an error and label of a key", async () => {
  const text = await read("docs/protocols.md");
  const listed = (name: string) => assert.ok(text.includes(`\`${name}\``), `it lacks ${name}`);
  Object.keys(PARAM_SCHEMAS).forEach(listed);
  const errors = await read("src/core/errors.ts");
  const codes = [...errors.split("/** Options of")[0]!.matchAll(/^ {2}\| "([a-z-]+)"/gm)];
  assert.ok(codes.length > 10);
  const line = /^Codes of errors: [^.]+/m.exec(text)?.[0] ?? "";
  for (const [, code] of codes) assert.ok(line.includes(`\`${code}\``), `it lacks ${code}`);
  const files = ["src/app/identity.ts", "src/app/cli/verbs/mcp.ts", "wallet/keys.ts"];
  const labels = (await Promise.all(files.map(read)))
    .flatMap((file) => [...file.matchAll(/deriveKey\(\w+, "([^"]+)"\)/g)]);
  assert.ok(labels.length >= 6);
  for (const [, label] of labels) listed(label!);
});

Deno.test("docs/operating.md names every permission, and the service runs with just these", async () => {
  const text = await read("docs/operating.md");
  for (const { why } of NEEDED_PERMISSIONS.filter(({ descriptor }) => descriptor.name !== "env")) {
    assert.ok(text.includes(why.slice(why.indexOf(": ") + 2)), why);
  }
  assert.ok(text.includes(`deno run ${PERMISSION_FLAGS.join(" ")} node.ts start`));
  const config = JSON.parse(await read("deno.json"));
  const flags = PERMISSION_FLAGS.map((flag) => flag.includes("*") ? `'${flag}'` : flag).join(" ");
  assert.equal(config.tasks.node.command, `deno run ${flags} node.ts`);
});

Deno.test("docs/operating.md has the settings as they are", async () => {
  const plain = (text: string) => text.replaceAll(/ +/g, " ").replaceAll(/-{3,}/g, "---");
  const text = plain(await read("docs/operating.md"));
  for (const row of settingsMarkdown().split("\n").slice(2)) {
    assert.ok(text.includes(plain(row)), `docs/operating.md lacks: ${row}`);
  }
});

Deno.test("every link between the documents leads to a file", async () => {
  const documents = ["README.md", "CHANGELOG.md"];
  for await (const entry of Deno.readDir(new URL("docs/", ROOT))) {
    if (entry.name.endsWith(".md")) documents.push(`docs/${entry.name}`);
  }
  for (const document of documents) {
    for (const [, target] of (await read(document)).matchAll(/\]\(([^)#\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      const url = new URL(target!, new URL(document, ROOT));
      assert.ok(await Deno.stat(url).then(() => true, () => false), `${document}: ${target}`);
    }
  }
});
