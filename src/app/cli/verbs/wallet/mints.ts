/** `wallet mints`: the list, and its two changes. */
import { SeedmintError } from "../../../../core/errors.ts";
import { parseMintUrl } from "../../../../../wallet/mint/mint_url.ts";
import type { MintView, WalletApi } from "../../../../../wallet/wallet_api.ts";
import type { MintTrust } from "../../../../../wallet/types.ts";
import { formatTable, printable } from "../../../output/format.ts";
import { atMostOne } from "../../support.ts";
import type { VerbContext } from "../../verb.ts";
import { amountFlag, formatSat } from "./amounts.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const [word, url] = context.operands;
  const change = word === undefined ? undefined : readChange(context, word, url);
  await using opened = await context.openWallet();
  if (change === undefined) await list(context, opened.wallet);
  else await change(opened.wallet);
  return 0;
}

/** Reads everything before the wallet is opened, so that a mistake costs nothing. */
function readChange(
  context: VerbContext,
  word: string,
  text: string | undefined,
): (wallet: WalletApi) => Promise<void> {
  if (word !== "add" && word !== "remove") {
    throw usage(`"${word.slice(0, 24)}" is neither add nor remove`);
  }
  if (text === undefined) throw usage(`the URL of the mint to ${word} is missing`);
  const url = parseMintUrl(text, { allowPrivate: true });
  if (word === "remove") return async (wallet) => await remove(context, wallet, url);
  const trust = atMostOne(context, ["trusted", "accepted"]) as MintTrust | undefined;
  if (trust === undefined) {
    throw usage("say --trusted (it may hold your money) or --accepted (it may only pay in)");
  }
  const exposureMaxSat = amountFlag(context, "exposure");
  return async (wallet) => {
    const mint = await wallet.addMint(
      { url, trust, ...(exposureMaxSat === undefined ? {} : { exposureMaxSat }) },
      { signal: context.signal },
    );
    if (context.out.json) context.out.object(mint);
    else context.out.line(`${printable(mint.url)}  ${mint.trust}  ${nameOf(mint)}`);
  };
}

async function remove(context: VerbContext, wallet: WalletApi, url: string): Promise<void> {
  await wallet.removeMint({ url, ...(context.has("force") ? { force: true } : {}) });
  if (context.out.json) context.out.object({ url, removed: true });
  else context.out.line(`${url}  removed`);
}

async function list(context: VerbContext, wallet: WalletApi): Promise<void> {
  const { out, signal } = context;
  const probe = context.has("probe");
  const mints = await wallet.mints({ probe, signal });
  if (out.json) { for (const mint of mints) out.object(mint); }
  else if (mints.length === 0) {
    out.note("note: no mint is listed; wallet mints add URL --trusted lists one");
  } else {
    out.line(formatTable(
      [
        { title: "MINT" },
        { title: "TRUST" },
        { title: "INPUT FEE", alignRight: true },
        { title: "HOLDS AT MOST", alignRight: true },
        { title: "STATE" },
        { title: "NAME" },
      ],
      mints.map((mint) => [
        printable(mint.url),
        mint.trust,
        mint.inputFeePpk === null ? "?" : `${mint.inputFeePpk / 1000} sat`,
        mint.exposureMaxSat === null ? "no limit" : formatSat(mint.exposureMaxSat),
        stateOf(mint),
        nameOf(mint),
      ]),
    ));
  }
}

function stateOf({ blockedReason, online, latencyMs }: MintView): string {
  if (blockedReason !== null) return `blocked: ${printable(blockedReason)}`;
  if (online === null) return "not asked";
  return online
    ? `answers${latencyMs === null ? "" : ` in ${Math.round(latencyMs)} ms`}`
    : "silent";
}

function nameOf({ name, version }: MintView): string {
  return printable([name, version].filter(Boolean).join(", ") || "-");
}

function usage(why: string): SeedmintError {
  return new SeedmintError("usage", `Cannot run wallet mints: ${why} (see wallet mints --help)`);
}
