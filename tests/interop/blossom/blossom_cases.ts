/** What a Blossom client library does with the gateway. */
import assert from "node:assert/strict";
import { type EventTemplate, nostrPublicKey, signEvent } from "../../../src/nostr/nostr.ts";
import { formatBlossomUri, parseBlossomUri } from "../../../swarm/gateway/mod.ts";
import { decodePaymentRequest } from "../../../wallet/payment_request.ts";
import { content } from "../../swarm/provider/support.ts";
import {
  ALICE,
  MALLORY,
  MINT,
  sha256Of,
  tokenOf,
  type World,
} from "../../swarm/gateway/support.ts";
import { check, skip } from "./suite.ts";

/** Put together, so that nothing but this process asks for the package. */
const PACKAGE = ["npm:blossom-client-sdk", "5.1.0"].join("@");

interface Descriptor {
  readonly url: string;
  readonly sha256: string;
  readonly size: number;
  readonly type: string;
  readonly uploaded: number;
}

type Signer = (draft: EventTemplate) => Promise<unknown>;
type OnAuth = (server: string, sha256?: string) => Promise<unknown>;

/** As much of the library as is used, by its own documentation. */
interface Sdk {
  createUploadAuth(signer: Signer, blob: Blob | string): Promise<unknown>;
  createDeleteAuth(signer: Signer, sha256: string): Promise<unknown>;
  createListAuth(signer: Signer): Promise<unknown>;
  getPaymentRequestFromHeaders(headers: Headers): Promise<{
    readonly amount: number;
    readonly unit: string;
    readonly mints: readonly string[];
  }>;
  parseBlossomURI(uri: string): Record<string, unknown> | null;
  readonly Actions: {
    uploadBlob(
      server: string,
      blob: Blob,
      options: { readonly onAuth: OnAuth },
    ): Promise<Descriptor>;
    hasBlob(server: string, sha256: string): Promise<boolean>;
    downloadBlob(
      server: string,
      sha256: string,
      options?: {
        readonly onPaymentRequired: (
          server: string,
          sha256: string,
          headers: Headers,
        ) => Promise<Record<string, string>>;
      },
    ): Promise<Response>;
    listBlobs(
      server: string,
      publicKey: string,
      options?: { readonly limit?: number; readonly cursor?: string; readonly onAuth?: OnAuth },
    ): Promise<readonly Descriptor[]>;
    deleteBlob(
      server: string,
      sha256: string,
      options: { readonly onAuth: OnAuth },
    ): Promise<boolean>;
  };
}

const signerOf = (key: Uint8Array): Signer => (draft) => Promise.resolve(signEvent(draft, key));

/** Runs them. */
export async function blossomCases(world: World): Promise<void> {
  let sdk: Sdk;
  try {
    sdk = await import(PACKAGE);
  } catch (error) {
    return skip(PACKAGE, `it cannot be had from the registry: ${error}`);
  }
  await uploadCases(world, sdk);
  await paymentCases(world, sdk);
}

async function uploadCases(world: World, sdk: Sdk): Promise<void> {
  const server = world.gateway.url;
  const bytes = content(3_000_000);
  const blob = new Blob([bytes], { type: "image/png" });
  const sha256 = await sha256Of(bytes);
  const signer = signerOf(ALICE);
  const uploadAuth: OnAuth = () => sdk.createUploadAuth(signer, blob);

  await check("a stranger's upload is refused with the reason that the library shows", async () => {
    await assert.rejects(
      sdk.Actions.uploadBlob(server, blob, {
        onAuth: () => sdk.createUploadAuth(signerOf(MALLORY), blob),
      }),
      /This key may not/,
    );
    assert.equal(world.store.usage().blobCount, 0);
  });
  await check("uploadBlob() uploads, and again finds it there", async () => {
    for (let run = 0; run < 2; run++) {
      const descriptor = await sdk.Actions.uploadBlob(server, blob, { onAuth: uploadAuth });
      assert.deepEqual(
        [descriptor.sha256, descriptor.size, descriptor.type, descriptor.url],
        [sha256, bytes.length, "image/png", `${server}/${sha256}.png`],
      );
    }
  });
  await check("hasBlob() tells what is there", async () => {
    assert.equal(await sdk.Actions.hasBlob(server, "0".repeat(64)), false);
    world.seller.free.add(world.store.findBySha256(sha256 as never)!.hash);
    assert.equal(await sdk.Actions.hasBlob(server, sha256), true);
  });
  await check("downloadBlob() downloads", async () => {
    const response = await sdk.Actions.downloadBlob(server, sha256);
    assert.equal(response.headers.get("content-type"), "image/png");
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), bytes);
  });
  await check("listBlobs() lists, page by page", async () => {
    const more = new Blob([content(10_000, 4)]);
    await sdk.Actions.uploadBlob(server, more, {
      onAuth: () => sdk.createUploadAuth(signer, more),
    });
    const key = nostrPublicKey(ALICE);
    const [first] = await sdk.Actions.listBlobs(server, key, { limit: 1 });
    const rest = await sdk.Actions.listBlobs(server, key, { cursor: first!.sha256 });
    assert.deepEqual(rest.map((item) => item.sha256), [sha256]);
  });
  await check("deleteBlob() deletes what one uploaded, and nobody else", async () => {
    const remove = (key: Uint8Array) =>
      sdk.Actions.deleteBlob(server, sha256, {
        onAuth: () => sdk.createDeleteAuth(signerOf(key), sha256),
      });
    await assert.rejects(remove(MALLORY));
    assert.equal(await sdk.Actions.hasBlob(server, sha256), true);
    await remove(ALICE);
    assert.equal(await sdk.Actions.hasBlob(server, sha256), false);
  });
  await check("blossom: URIs mean the same to both", () => {
    const uri = formatBlossomUri({
      sha256: sha256 as never,
      extension: "png",
      servers: ["https://cdn.example.com"],
      authors: [nostrPublicKey(ALICE)],
      size: 3_000_000,
    });
    assert.ok(sdk.parseBlossomURI(uri), uri);
    assert.equal(parseBlossomUri(uri).size, 3_000_000);
    return Promise.resolve();
  });
}

async function paymentCases(world: World, sdk: Sdk): Promise<void> {
  const server = world.gateway.url;
  const bytes = content(1_000_000, 6);
  const { sha256 } = await world.store.importBytes(bytes);

  await check("the library reads what a priced blob costs (NUT-24)", async () => {
    const response = await fetch(`${server}/${sha256}`, { method: "HEAD" });
    assert.equal(response.status, 402);
    const request = await sdk.getPaymentRequestFromHeaders(response.headers);
    const ours = decodePaymentRequest(response.headers.get("x-cashu")!)!;
    assert.deepEqual([request.unit, request.mints], ["sat", [MINT]]);
    assert.deepEqual([Number(request.amount), ours.p2pk], [
      ours.amountSat,
      world.seller.terms.p2pk,
    ]);
    const bech32 = await fetch(`${server}/${sha256}`, {
      headers: { "x-cashu-encoding": "creqB" },
    });
    const { creqA } = await bech32.json();
    assert.deepEqual(
      decodePaymentRequest(bech32.headers.get("x-cashu")!),
      decodePaymentRequest(creqA),
    );
  });
  await check("downloadBlob() pays and downloads (BUD-07)", async () => {
    const response = await sdk.Actions.downloadBlob(server, sha256!, {
      onPaymentRequired: async (_server, _sha256, headers) => {
        const { amount } = await sdk.getPaymentRequestFromHeaders(headers);
        return { "X-Cashu": tokenOf(Number(amount)) };
      },
    });
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), bytes);
    assert.equal(world.seller.payCount, 1);
  });
}
