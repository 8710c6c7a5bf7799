/**
 * Lightning addresses of the fake network (LUD-06, LUD-16): each node has one, `NAME@127.0.0.1:PORT`.
 * The name says how honest it is, so that tests reach what a wallet must refuse: `wrong-amount-…`,
 * `wrong-description-…`, `wrong-network-…`, `refuses-…`, `redirects-…` and `huge-…`.
 */
import { createHash } from "node:crypto";
import { encodeInvoice } from "../../wallet/lightning/bolt11.ts";
import type { FakeLightning } from "./fake_lightning.ts";

/** What every address takes, in millisatoshi. */
const SENDABLE = { minSendable: 1000, maxSendable: 100_000_000_000 } as const;

/** The answer to a request of a payer, or undefined if it is for something else. */
export async function lnurlAnswer(
  lightning: FakeLightning,
  serviceUrl: string,
  url: URL,
): Promise<unknown> {
  const found = /^\/(?:\.well-known\/)?lnurlp\/([a-z0-9._-]{1,64})$/.exec(url.pathname);
  const name = found?.[1];
  if (name === undefined) return undefined;
  if (name.startsWith("redirects")) {
    return Response.redirect(url.href.replace("redirects-", ""), 302);
  }
  if (name.startsWith("refuses")) return { status: "ERROR", reason: "nobody is at home" };
  const metadata = JSON.stringify([
    ["text/identifier", `${name}@${url.host}`],
    ["text/plain", `Paying ${name} of the development network`],
  ]);
  if (url.pathname.startsWith("/.well-known/")) {
    const padding = name.startsWith("huge") ? { padding: "x".repeat(1 << 20) } : {};
    return {
      ...{ tag: "payRequest", callback: `${serviceUrl}/lnurlp/${name}`, metadata },
      ...SENDABLE,
      ...padding,
    };
  }
  return await invoiceAnswer(lightning, name, { metadata, url });
}

async function invoiceAnswer(
  lightning: FakeLightning,
  name: string,
  { metadata, url }: { readonly metadata: string; readonly url: URL },
): Promise<unknown> {
  const amountMsat = Number(url.searchParams.get("amount"));
  const isInRange = amountMsat >= SENDABLE.minSendable && amountMsat <= SENDABLE.maxSendable;
  if (!Number.isSafeInteger(amountMsat) || !isInRange) {
    return { status: "ERROR", reason: "amount out of range" };
  }
  const described = name.startsWith("wrong-description") ? `${metadata} ` : metadata;
  const descriptionHash = createHash("sha256").update(described).digest("hex");
  if (name.startsWith("wrong-network")) return { pr: mainnetInvoice(amountMsat, descriptionHash) };
  const { bolt11 } = await lightning.createInvoice({
    payee: name,
    amountMsat: BigInt(amountMsat) + (name.startsWith("wrong-amount") ? 1000n : 0n),
    descriptionHash,
  });
  return { pr: bolt11, routes: [] };
}

function mainnetInvoice(amountMsat: number, descriptionHash: string): string {
  const hash = createHash("sha256").update(String(amountMsat)).digest("hex");
  return encodeInvoice({
    network: "mainnet",
    amountMsat: BigInt(amountMsat),
    paymentHash: hash,
    timestampS: 1_700_000_000,
    descriptionHash,
  }, Uint8Array.fromHex(hash));
}
