/** `wallet balance`: what is held at each mint. */
import { formatTable, printable } from "../../../output/format.ts";
import type { VerbContext } from "../../verb.ts";
import { formatSat } from "./amounts.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out } = context;
  await using opened = await context.openWallet();
  const report = await opened.wallet.balance();
  if (out.json) {
    out.object(report);
    return 0;
  }
  if (report.mints.length > 0) {
    out.line(formatTable(
      [
        { title: "MINT" },
        { title: "TRUST" },
        { title: "FREE", alignRight: true },
        { title: "RESERVED", alignRight: true },
        { title: "OUTGOING", alignRight: true },
        { title: "INCOMING", alignRight: true },
      ],
      report.mints.map((mint) => [
        printable(mint.mint),
        mint.trust ?? "not listed",
        ...[mint.freeSat, mint.reservedSat, mint.outgoingSat, mint.incomingSat].map(formatSat),
      ]),
    ));
  }
  out.line(`total ${formatSat(report.totalSat)}`);
  if (report.mints.length === 0) out.note("note: no mint is listed; see wallet mints --help");
  return 0;
}
