/** What the verb `devnet` says to people. */
import type { DevnetAddresses } from "./network.ts";

/** The text of `devnet --help`. */
export const HELP =
  `seedmint devnet: a network of your own on this machine, with money that is worth nothing

Usage: seedmint devnet [start] [FLAGS]      start it and stay; Ctrl-C stops it
       seedmint devnet pay INVOICE [SATS]   pay an invoice from a wallet outside, to fund yours
       seedmint devnet invoice SATS         get an invoice that your wallet can pay
       seedmint devnet books                what every Lightning node got and gave

It starts a Nostr relay, a fake Lightning network, and mints, each a process of its own that
listens on loopback only. Its state is in one folder: started again with the same folder, it goes
on where it was, at the same addresses. Nothing in it is real, the mints least of all.

Flags:
  --data DIR        Folder of its state (default seedmint-devnet in your data folder)
  --mints N         How many mints, 1 to 8 (default 2, or as many as there were)
  --port PORT       First port to use (default 7780); another one than before moves everything
  --fee-ppk N       Input fee of new mints, in parts of a thousand sat for each proof (default 0)
  --faults          Put a fault proxy in front of each mint, to make trouble between wallet and mint
  --memo TEXT       Of invoice: what it is for
  --wait            Of invoice: wait until it is paid
  --json            Print JSON, one object per line
  -h, --help        Show this help

Examples:
  seedmint devnet
      Start it and see how to point a node at it
  seedmint devnet pay lnbcrt210n1…
      Pay what "wallet fund" asked for`;

/** What is shown when everything runs. */
export function readyText(network: DevnetAddresses): string {
  const { directory, relay, lightning, mints } = network;
  const node = "deno task node";
  const { host } = new URL(lightning);
  const first = mints[0]!;
  return [
    `A development network, its money worth nothing, in ${directory}`,
    "",
    row("relay", relay),
    row("Lightning", `${lightning} (addresses: anybody@${host})`),
    ...mints.flatMap(({ name, url, adminUrl, faultsUrl }) => [
      row(`mint ${name}`, `${url} (orders: ${adminUrl}/admin/…)`),
      ...(faultsUrl === undefined ? [] : [row("", `fault proxy in front (orders: ${faultsUrl})`)]),
    ]),
    "",
    "In another terminal:",
    `  ${node} start --relay ${relay}`,
    ...mints.map(({ url }) => `  ${node} wallet mints add ${url} --trusted`),
    `  ${node} wallet fund 1000 --mint ${first.url}`,
    `  ${node} devnet pay INVOICE --data ${directory}`,
    `  ${node} wallet withdraw anybody@${host} 100`,
    "",
    "Stop it with Ctrl-C.",
  ].join("\n");
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(10)} ${text}`;
}
