/**
 * An origin web server on loopback that serves one file with ranges, as any web server does. Prints
 * `{"event":"ready","url"}`, and one line for each request.
 *
 * Usage: deno run --allow-net --allow-read devnet/origin.ts FILE
 */
import { basename } from "node:path";

const path = Deno.args[0];
if (path === undefined) {
  console.error("Usage: deno run --allow-net --allow-read devnet/origin.ts FILE");
  Deno.exit(2);
}
const { size } = await Deno.stat(path);

/** The first and last byte that a Range header asks for; undefined for the whole file. */
function readRange(header: string | null): { first: number; last: number } | "bad" | undefined {
  if (header === null) return undefined;
  const match = /^bytes=(\d+)-(\d*)$/.exec(header);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === "" ? size - 1 : Math.min(size - 1, Number(match[2]));
  return first >= size || first > last ? "bad" : { first, last };
}

/** The bytes from `first` to `last`, read as they are sent. */
async function* readFile(first: number, last: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  using file = await Deno.open(path!);
  await file.seek(first, Deno.SeekMode.Start);
  for (let left = last - first + 1; left > 0;) {
    const buffer = new Uint8Array(Math.min(left, 1 << 18));
    const count = await file.read(buffer);
    if (count === null) return;
    left -= count;
    yield buffer.subarray(0, count);
  }
}

const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
  const range = readRange(request.headers.get("range"));
  if (range === "bad") {
    return new Response(null, { status: 416, headers: { "content-range": `bytes */${size}` } });
  }
  const { first, last } = range ?? { first: 0, last: size - 1 };
  console.log(JSON.stringify({ event: "request", method: request.method, first, last }));
  const headers = {
    "accept-ranges": "bytes",
    "content-length": String(last - first + 1),
    "content-type": "application/octet-stream",
    ...(range === undefined ? {} : { "content-range": `bytes ${first}-${last}/${size}` }),
  };
  const body = request.method === "HEAD" ? null : ReadableStream.from(readFile(first, last));
  return new Response(body, { status: range === undefined ? 200 : 206, headers });
});
const url = `http://127.0.0.1:${server.addr.port}/${encodeURIComponent(basename(path))}`;
console.log(JSON.stringify({ event: "ready", url }));
Deno.addSignalListener("SIGTERM", () => Deno.exit(0));
