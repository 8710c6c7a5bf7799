/** What curl does with the gateway. */
import assert from "node:assert/strict";
import { content } from "../../swarm/provider/support.ts";
import { authorization, sha256Of, tokenOf, type World } from "../../swarm/gateway/support.ts";
import { check, skip } from "./suite.ts";

/** What a run of curl printed. */
interface Ran {
  readonly code: number;
  readonly out: Uint8Array<ArrayBuffer>;
  readonly text: string;
}

async function curl(...args: readonly string[]): Promise<Ran> {
  const { code, stdout } = await new Deno.Command("curl", {
    args: ["-sS", "--max-time", "30", ...args],
    stderr: "inherit",
  }).output();
  return { code, out: stdout, text: new TextDecoder("latin1").decode(stdout) };
}

/** Runs them. */
export async function curlCases(world: World): Promise<void> {
  const version = await new Deno.Command("curl", { args: ["--version"] }).output()
    .then(({ stdout }) => new TextDecoder().decode(stdout).split("\n")[0], () => undefined);
  if (version === undefined) return skip("all cases of curl", "there is no curl here");
  console.log(version);
  const directory = await Deno.makeTempDir();
  try {
    await downloadCases(world, directory);
    await uploadCases(world, directory);
    await paymentCases(world);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function downloadCases(world: World, directory: string): Promise<void> {
  const bytes = content(5_000_000);
  const record = await world.store.importBytes(bytes, { mediaType: "video/mp4" });
  world.seller.free.add(record.hash);
  const url = `${world.gateway.url}/blob/${record.hash}`;
  const file = `${directory}/film`;

  await check("curl downloads, by both hashes", async () => {
    assert.deepEqual((await curl(url)).out, bytes);
    assert.deepEqual((await curl(`${world.gateway.url}/${record.sha256}.mp4`)).out, bytes);
  });
  await check("curl -I tells size, type and ranges", async () => {
    const { text } = await curl("-I", url);
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(text, /\r\ncontent-length: 5000000\r\n/i);
    assert.match(text, /\r\naccept-ranges: bytes\r\n/i);
    assert.match(text, /\r\ncontent-type: video\/mp4\r\n/i);
  });
  await check("curl -r asks for ranges, also several of them", async () => {
    assert.deepEqual((await curl("-r", "100-199", url)).out, bytes.slice(100, 200));
    assert.deepEqual((await curl("-r", "-500", url)).out, bytes.slice(-500));
    assert.equal(
      (await curl("-o", "/dev/null", "-w", "%{http_code}", "-r", "5000000-", url)).text,
      "416",
    );
    assert.deepEqual((await curl("-r", "0-1,5-6", url)).out, bytes);
  });
  await check("curl -C - continues a download", async () => {
    await Deno.writeFile(file, bytes.subarray(0, 1_234_567));
    assert.equal((await curl("-C", "-", "-o", file, url)).code, 0);
    assert.deepEqual(await Deno.readFile(file), bytes);
  });
  await check("curl --etag-compare downloads nothing twice", async () => {
    const etag = `${directory}/etag`;
    await curl("--etag-save", etag, "-o", "/dev/null", url);
    const again = await curl("--etag-compare", etag, "-o", "/dev/null", "-w", "%{http_code}", url);
    assert.equal(again.text, "304");
  });
  await check("curl uses one connection for many requests, HTTP/1.0 too", async () => {
    const connects = await curl(
      "-o",
      "/dev/null",
      "-w",
      "%{num_connects} ",
      url,
      "-o",
      "/dev/null",
      url,
    );
    assert.equal(connects.text.trim(), "1 0");
    assert.deepEqual((await curl("--http1.0", url)).out, bytes);
  });
}

async function uploadCases(world: World, directory: string): Promise<void> {
  const bytes = content(2_500_000, 3);
  const sha256 = await sha256Of(bytes);
  const file = `${directory}/upload`;
  await Deno.writeFile(file, bytes);
  const url = `${world.gateway.url}/upload`;
  const auth = `Authorization: ${authorization({ verb: "upload", x: [sha256] })}`;

  await check("curl -T uploads a file, and waits for our word to send it", async () => {
    const ran = await curl("-T", file, "-H", auth, "-H", "Expect: 100-continue", url);
    assert.equal(JSON.parse(ran.text).sha256, sha256);
  });
  await check("curl sends no byte of an upload that is refused", async () => {
    const refused = ["-o", "/dev/null", "-w", "%{http_code} %{size_upload}"];
    const ran = await curl(...refused, "-T", file, "-H", "Expect: 100-continue", url);
    assert.equal(ran.text, "401 0");
  });
  await check("curl hears why a large upload is refused that it sends at once", async () => {
    const ran = await curl("-T", file, "-H", "Expect:", "-w", "%{http_code}", url);
    assert.match(ran.text, /Not authorized.*401$/s);
  });
}

async function paymentCases(world: World): Promise<void> {
  const bytes = content(1_500_000, 5);
  const { hash } = await world.store.importBytes(bytes);
  const url = `${world.gateway.url}/blob/${hash}`;

  await check("curl pays for one blob, and gets it again with the same token", async () => {
    const { amountSat } = JSON.parse((await curl(url)).text);
    const token = `X-Cashu: ${tokenOf(amountSat)}`;
    for (let run = 0; run < 2; run++) assert.deepEqual((await curl("-H", token, url)).out, bytes);
    assert.equal(world.seller.payCount, 1);
  });
  await check("curl opens a session, and downloads with its bearer", async () => {
    const other = await world.store.importBytes(content(700_000, 8));
    const open = (...args: readonly string[]) =>
      curl(
        "-d",
        JSON.stringify({ blobs: [hash, other.hash] }),
        ...args,
        `${world.gateway.url}/session`,
      );
    const { amountSat } = JSON.parse((await open()).text);
    const { session } = JSON.parse((await open("-H", `X-Cashu: ${tokenOf(amountSat)}`)).text);
    const bearer = `Authorization: Bearer ${session}`;
    assert.deepEqual((await curl("-H", bearer, url)).out, bytes);
    assert.equal(
      (await curl("-H", bearer, `${world.gateway.url}/blob/${other.hash}`)).out.length,
      700_000,
    );
  });
  await check("curl gets nothing with a token of somebody else's", async () => {
    const token = `X-Cashu: ${tokenOf(200)}`;
    await curl("-o", "/dev/null", "-H", token, url);
    const thief = await curl("--interface", "127.0.0.2", "-H", token, "-w", "%{http_code}", url);
    assert.match(thief.text, /400$/);
  });
}
