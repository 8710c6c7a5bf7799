import { equal, rejects } from "node:assert/strict";
import fc from "fast-check";
import { systemClock } from "../../../src/host/system.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import type { ResponseMessage } from "../../../swarm/protocol/mod.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { content, importCollection, never, SEEDER } from "../provider/support.ts";
import { encodingOf, type Script, Scripted } from "./support.ts";

const SIZE = 100_000;
const honest = new MemoryBlobStore({ clock: systemClock });
const { hash: HASH } = await honest.importBytes(content(SIZE));
const ENCODING = await encodingOf(honest, HASH);

/** What a lying provider does with a want, and what that is called. */
const LIES: Readonly<Record<string, readonly [ErrorCode, (script: Script) => Promise<void>]>> = {
  "a flipped bit": ["corrupt", async (script) => {
    const bytes = Uint8Array.from(ENCODING);
    bytes[90_000]! ^= 1;
    await script.say({ t: "granted", size: SIZE });
    await script.data(bytes);
    await script.say({ t: "end" });
  }],
  "a size too small": ["corrupt", async (script) => {
    await script.say({ t: "granted", size: SIZE - 1 });
    await script.data(ENCODING.subarray(0, -1));
    await script.say({ t: "end" });
  }],
  "the largest size there can be": ["corrupt", async (script) => {
    await script.say({ t: "granted", size: 2 ** 48 });
    while (true) await script.data(new Uint8Array(1 << 20));
  }],
  "more than it granted": ["protocol", async (script) => {
    await script.say({ t: "granted", size: SIZE });
    await script.data(ENCODING);
    await script.data(new Uint8Array(1));
    await script.request();
  }],
  "less than it granted": ["protocol", async (script) => {
    await script.say({ t: "granted", size: SIZE });
    await script.data(ENCODING.subarray(0, 50_000));
    await script.say({ t: "end" });
    await script.request();
  }],
  "data before granted": ["protocol", async (script) => {
    await script.data(ENCODING);
    await script.request();
  }],
  "granted twice": ["protocol", async (script) => {
    await script.say({ t: "granted", size: SIZE }, { t: "granted", size: SIZE });
    await script.request();
  }],
  "other ranges than asked": ["protocol", async (script) => {
    await script.say({ t: "granted", size: SIZE, ranges: RangeSet.of(0, 2 ** 20) });
    await script.request();
  }],
  "no ranges at all": ["protocol", async (script) => {
    await script.say({ t: "granted", size: SIZE, ranges: RangeSet.EMPTY });
    await script.request();
  }],
  "the direct path unasked": ["protocol", async (script) => {
    const direct = { port: 1, session: new Uint8Array(16), key: new Uint8Array(32), ttlMs: 1 };
    await script.say({ t: "granted", size: SIZE, direct });
    await script.request();
  }],
  "holdings for a want": ["protocol", async (script) => {
    await script.say({ t: "holdings", blobs: [] });
    await script.request();
  }],
  "a frame of 4 GiB": ["protocol", async (script) => {
    await script.stream.write(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0xa1));
    await script.request();
  }],
  "noise": ["protocol", async (script) => {
    await script.stream.write(new Uint8Array(1000).fill(0x77));
    await script.request();
  }],
  "a close without a word": ["reset", (script) => script.stream.closeWrite()],
  "a close in the middle": ["reset", async (script) => {
    await script.say({ t: "granted", size: SIZE });
    await script.data(ENCODING.subarray(0, 50_000));
    await script.stream.closeWrite();
  }],
  "an abort": ["reset", (script) => Promise.resolve(script.stream.abort(new Error("gone")))],
  "busy": ["busy", (script) => script.say({ t: "denied", code: "busy", retryMs: 5 })],
  "denied": ["denied", (script) => script.say({ t: "denied", code: "closed" })],
  "a failure in the middle": [
    "reset",
    (script) => script.say({ t: "granted", size: SIZE }, { t: "failed", code: "internal" }),
  ],
  "gone in the middle": [
    "not-found",
    (script) => script.say({ t: "granted", size: SIZE }, { t: "failed", code: "gone" }),
  ],
};

for (const [name, [code, lie]] of Object.entries(LIES)) {
  Deno.test(`PeerSource calls ${name} ${code}, names the peer, and stays usable`, async () => {
    let isHonest = false;
    await using meeting = new Scripted(async (script) => {
      while (await script.request() !== undefined) {
        if (!isHonest) return await lie(script);
        await script.say({ t: "granted", size: SIZE });
        await script.data(ENCODING);
        await script.say({ t: "end" });
      }
    });
    const fetch = () => meeting.source.fetch({ hash: HASH, groups: RangeSet.ALL, signal: never() });
    await rejects(fetch(), (error) => {
      equal(isSeedmintError(error, code), true, String(error));
      return (error as Error).message.includes(SEEDER);
    });
    isHonest = true;
    await fetch();
    equal(meeting.store.status(HASH)?.state, "complete");
  });
}

Deno.test("PeerSource calls another size than the proven one corrupt before any byte", async () => {
  await using meeting = new Scripted(async (script) => {
    await script.request();
    await script.say({ t: "granted", size: SIZE + 1 });
    await script.request();
  });
  const groups = RangeSet.of(0, 1);
  await rejects(
    meeting.source.fetch({ hash: HASH, size: SIZE, groups, signal: never() }),
    (error) => isSeedmintError(error, "corrupt"),
  );
});

Deno.test("PeerSource takes a low between data for what it is", async () => {
  await using meeting = new Scripted(async (script) => {
    await script.request();
    await script.say({ t: "granted", size: SIZE });
    for (let at = 0; at < ENCODING.length; at += 9_999) {
      await script.data(ENCODING.subarray(at, at + 9_999));
      await script.say({ t: "low", creditMsat: 1 });
    }
    await script.say({ t: "end" });
    await script.request();
  });
  await meeting.source.fetch({ hash: HASH, groups: RangeSet.ALL, signal: never() });
  equal(meeting.store.status(HASH)?.state, "complete");
});

Deno.test("PeerSource calls holdings of another count, or of no sense, a breach", async () => {
  const none = { state: "none" } as const;
  const answers: ResponseMessage[] = [
    { t: "holdings", blobs: [] },
    { t: "holdings", blobs: [none, none] },
    { t: "end" },
  ];
  for (const answer of answers) {
    await using meeting = new Scripted(async (script) => {
      await script.request();
      await script.say(answer);
      await script.request();
    });
    await rejects(
      meeting.source.holdings(HASH, { signal: never() }),
      (error) => isSeedmintError(error, "protocol"),
    );
  }
});

Deno.test("PeerSource cuts holdings past the end of the blob", async () => {
  await using meeting = new Scripted(async (script) => {
    await script.request();
    const blobs = [{ state: "some", size: 40_000, groups: RangeSet.of(1) } as const];
    await script.say({ t: "holdings", blobs });
    await script.request();
  });
  const holdings = await meeting.source.holdings(HASH, { signal: never() });
  equal(holdings.state === "some" && holdings.groups.toString(), "1..3");
});

const collection = await importCollection(honest, [
  ["a", content(4096, 1)],
  ["b", content(40_000, 2)],
  ["c", content(0)],
  ["d", content(100, 3)],
]);
const CHILDREN = [4096, 0, 0, 100];
const LARGE = await encodingOf(honest, collection.hashes[1]!);

/** What a lying provider does with a want of children. */
const CHILD_LIES: Readonly<Record<string, readonly [ErrorCode, (s: Script) => Promise<void>]>> = {
  "a small child that is another": ["corrupt", async (script) => {
    await script.data(new Uint8Array(CHILDREN[0]!));
    await script.data(LARGE);
    await script.data(content(100, 3));
    await script.say({ t: "end" });
  }],
  "a large child with a flipped bit": ["corrupt", async (script) => {
    const bytes = Uint8Array.from(LARGE);
    bytes[20_000]! ^= 1;
    await script.data(content(4096, 1));
    await script.data(bytes);
    await script.data(content(100, 3));
    await script.say({ t: "end" });
  }],
  "missing in the middle of a child": ["protocol", async (script) => {
    await script.data(content(4096, 1));
    await script.data(LARGE.subarray(0, 99));
    await script.say({ t: "missing", children: RangeSet.of(3, 4) });
  }],
  "missing children that were not asked for": [
    "protocol",
    (script) =>
      script.say({ t: "missing", children: RangeSet.of(0, 9) }, {
        t: "missing",
        children: RangeSet.of(5),
      }),
  ],
  "missing children out of order": [
    "protocol",
    (script) => script.say({ t: "missing", children: RangeSet.of(1, 2) }),
  ],
  "an end before all came": ["protocol", async (script) => {
    await script.data(content(4096, 1));
    await script.say({ t: "end" });
  }],
  "more than was asked": ["protocol", async (script) => {
    await script.data(content(4096, 1));
    await script.data(LARGE);
    await script.data(content(100, 3));
    await script.data(new Uint8Array(1));
  }],
  "a failure": ["reset", (script) => script.say({ t: "failed", code: "internal" })],
};

for (const [name, [code, lie]] of Object.entries(CHILD_LIES)) {
  Deno.test(`PeerSource.fetchChildren calls ${name} ${code}`, async () => {
    await using meeting = new Scripted(async (script) => {
      await script.request();
      await script.say({ t: "granted", size: 1 });
      await lie(script);
      await script.request();
    });
    await meeting.store.importBytes(await encodingOf(honest, collection.root), {
      kind: "collection",
    });
    await rejects(
      meeting.source.fetchChildren({
        root: collection.root,
        children: RangeSet.ALL,
        signal: never(),
      }),
      (error) => {
        equal(isSeedmintError(error, code), true, String(error));
        return true;
      },
    );
  });
}

Deno.test("PeerSource fails with an expected error whatever bytes a provider sends", async () => {
  const granted = fc.constant(
    Uint8Array.of(0x11, ...hexOf("a2617467676772616e7465646473697a6505")),
  );
  const chunks = fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), granted), { maxLength: 5 });
  const codes: readonly ErrorCode[] = ["protocol", "reset", "corrupt", "not-found", "denied"];
  await fc.assert(
    fc.asyncProperty(chunks, async (parts) => {
      await using meeting = new Scripted(async (script) => {
        await script.request();
        for (const part of parts) await script.stream.write(part);
        await script.stream.closeWrite();
      });
      await rejects(
        meeting.source.fetch({ hash: HASH as Hash, groups: RangeSet.ALL, signal: never() }),
        (error) => codes.some((code) => isSeedmintError(error, code)),
      );
    }),
    { numRuns: 300 },
  );
});

function hexOf(hex: string): Uint8Array {
  return Uint8Array.fromHex(hex);
}
