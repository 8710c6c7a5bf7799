import { deepEqual, equal, rejects } from "node:assert/strict";
import fc from "fast-check";
import { isSeedmintError } from "../../../src/core/errors.ts";
import {
  HttpReader,
  type RawConnection,
  requestBytes,
  responseHead,
  statusOf,
} from "../../../swarm/direct/http.ts";

function connectionOf(chunks: readonly Uint8Array[]): RawConnection {
  let left = [...chunks];
  return {
    read: (target) => {
      const [chunk, ...rest] = left;
      if (chunk === undefined) return Promise.resolve(null);
      const count = Math.min(chunk.length, target.length);
      target.set(chunk.subarray(0, count));
      left = count < chunk.length ? [chunk.subarray(count), ...rest] : rest;
      return Promise.resolve(count);
    },
    write: (bytes) => Promise.resolve(bytes.length),
    close: () => {},
  };
}

const utf8 = (text: string) => new TextEncoder().encode(text);
const headOf = (text: string) => new HttpReader(connectionOf([utf8(text)])).head(300);

Deno.test("HttpReader reads a request with its body, wherever it is cut", async () => {
  const bytes = requestBytes("[::1]:4801", utf8("hello"));
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(bytes.length), { maxLength: 20 }), async (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end))
        .filter((chunk) => chunk.length > 0);
      const reader = new HttpReader(connectionOf(chunks));
      const head = await reader.head(300);
      equal(head?.firstLine, "POST /seedmint/direct/1 HTTP/1.1");
      deepEqual(await reader.body(head!.contentLength!), utf8("hello"));
      equal(await reader.head(300), undefined);
    }),
  );
});

Deno.test("statusOf reads what responseHead writes, and no other version", async () => {
  const head = await new HttpReader(connectionOf([responseHead(404, 0)])).head(300);
  equal(statusOf(head!), 404);
  equal(head?.contentLength, 0);
  for (const line of ["HTTP/1.0 200 OK", "HTTP/1.1 99 X", "hello", "HTTP/1.1 2000 OK"]) {
    const odd = await headOf(`${line}\r\n\r\n`);
    await rejects(async () => statusOf(await Promise.resolve(odd!)), /without a status/);
  }
});

Deno.test("HttpReader refuses what requests are smuggled with", async () => {
  const odd = [
    "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 0x5\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length : 5\r\n\r\n",
    "POST / HTTP/1.1\r\n Content-Length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\nno colon\r\n\r\n",
    `POST / HTTP/1.1\r\nX: ${"x".repeat(400)}\r\n\r\n`,
    "x".repeat(400),
  ];
  for (const text of odd) {
    await rejects(headOf(text), (error) => isSeedmintError(error, "protocol"), text.slice(0, 60));
  }
});

Deno.test("HttpReader says reset when the connection ends inside a head or a body", async () => {
  const reset = (error: unknown) => isSeedmintError(error, "reset");
  await rejects(headOf("POST / HT"), reset);
  await rejects(new HttpReader(connectionOf([utf8("abc")])).body(4), reset);
});

Deno.test("HttpReader throws nothing but protocol and reset, whatever comes", async () => {
  const chunk = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom("\r\n", "\r\n\r\n", "POST / HTTP/1.1\r\n", "Content-Length: 3\r\n", ":").map(
      utf8,
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 8 }), async (chunks) => {
      try {
        await new HttpReader(connectionOf(chunks.filter((one) => one.length > 0))).head(100);
      } catch (error) {
        equal(isSeedmintError(error, "protocol") || isSeedmintError(error, "reset"), true);
      }
    }),
    { numRuns: 2000 },
  );
});
