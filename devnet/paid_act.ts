/**
 * The act about paid blobs: two sellers with prices and mints of their own, and a buyer whose ecash is
 * at a third mint. It swaps, pays and fetches by itself; what it says it paid, the sellers say they
 * earned. Then one of them is killed while it is being paid, and the buyer finishes with the other.
 */
import { join } from "node:path";
import type { ActResult } from "./acts.ts";
import type { JsonLine } from "./processes.ts";
import { fund, walletThatTrusts } from "./wallet_act.ts";
import { type Devnet, sha256OfFile, type World, type WorldNode } from "./world.ts";

const MIB = 2 ** 20;
const FILM_BYTES = 128 * MIB;
const SECOND_FILM_BYTES = 64 * MIB;
/** Per seller and second: slow enough that both are needed, and that one can be killed in between. */
const RATE_BYTES = 24 * MIB;
const FUNDED_SAT = 3000;
/** The least that one payment may be: small, so that there are many. */
const TOP_UP_SAT = 16;
/** What a buyer may lose with a seller that vanishes (in sat): two payments that were not used up. */
const LOSS_SAT_MAX = 2 * (TOP_UP_SAT + 2);
const PRICES = [3000, 2000] as const;
const NAMES = ["A", "B", "C"] as const;

/** A seller of the act. */
interface Shop {
  readonly node: WorldNode;
  readonly data: readonly string[];
  readonly mintName: string;
  readonly priceMsatPerMiB: number;
}

interface Payment {
  readonly peerId: string;
  readonly mint: string;
  readonly priceMsatPerMiB: number;
  readonly paidSat: number;
  readonly feeSat: number;
  readonly usedMsat: number;
}

/** What a paid fetch did. */
interface Bought {
  readonly verified: boolean;
  readonly ms: number;
  readonly sources: readonly { readonly id: string; readonly bytes: number }[];
  readonly payments: readonly Payment[];
}

/** Buys one film of two sellers, and another after one of them was killed. */
export async function paid(world: World): Promise<ActResult> {
  const net = await world.devnet();
  const urls = net.mints.map(({ url }) => url);
  const buyer = await walletThatTrusts(join(world.directory, "buyer"), [...urls].reverse());
  const [film, second, shops] = await Promise.all([
    randomFile(join(world.directory, "film.mkv"), FILM_BYTES),
    randomFile(join(world.directory, "second.mkv"), SECOND_FILM_BYTES),
    Promise.all(PRICES.map((price, index) => openShop(world, net, index, price))),
    fund(world, net, FUNDED_SAT, [...buyer, "--mint", urls.at(-1)!]),
  ]);
  const hash = await seedAt(world, shops, film);
  const first = await buy(world, { hash, file: film, buyer });
  const rows = await Promise.all(shops.map((shop) => rowOf(world, shop, first)));
  const secondHash = await seedAt(world, shops, second);
  const broken = await buyFromTheRest(world, shops, { hash: secondHash, file: second, buyer });
  const sold = rows.every((row) => row.agrees);
  const isPaidTwice = rows.filter((row) => row.paidSat > 0).length === 2;
  const lossSat = Math.ceil(broken.lostMsat / 1000);
  return {
    ok: first.verified && broken.verified && sold && isPaidTwice && lossSat <= LOSS_SAT_MAX,
    text:
      `a buyer with ecash at mint C alone paid two sellers at mints A and B for ${
        FILM_BYTES / MIB
      } MiB in ${seconds(first.ms)}; when ${
        shops[0]!.node.name
      } was killed in the middle of the next ` +
      `film, it finished with ${shops[1]!.node.name}`,
    lines: [
      tableLine(["SELLER", "MINT", "PRICE", "BYTES", "PAID", "FEES", "EARNED"]),
      ...rows.map((row) =>
        `${
          tableLine([
            row.seller,
            row.mint,
            `${row.priceMsatPerMiB} msat/MiB`,
            `${(row.bytes / MIB).toFixed(1)} MiB`,
            `${row.paidSat} sat`,
            `${row.feeSat} sat`,
            `${(row.earnedMsat / 1000).toFixed(1)} sat`,
          ])
        }  ${row.agrees ? "agrees" : "DOES NOT AGREE"}`
      ),
      `killed with ${lossSat} sat of credit left there; ${
        broken.verified ? "the film is whole" : "THE FILM IS NOT WHOLE"
      }`,
    ],
    figures: {
      sellers: rows,
      fetchMs: first.ms,
      verified: first.verified && broken.verified,
      afterKill: { lostMsat: broken.lostMsat, payments: broken.payments },
    },
  };
}

async function openShop(
  world: World,
  net: Devnet,
  index: number,
  priceMsatPerMiB: number,
): Promise<Shop> {
  const name = `shop-${index + 1}`;
  const flags = ["--mint", net.mints[index]!.url, "--upload-rate", String(RATE_BYTES)];
  const node = await world.node(name, ...flags);
  const data = ["--data", node.data];
  const leastPayment = ["--min-top-up", String(TOP_UP_SAT)];
  await world.verb("services", "set", "default", String(priceMsatPerMiB), ...leastPayment, ...data);
  return { node, data, mintName: NAMES[index]!, priceMsatPerMiB };
}

/** Lets all shops seed a file, until strangers are told their prices. */
async function seedAt(world: World, shops: readonly Shop[], file: string): Promise<string> {
  const hashes = await Promise.all(shops.map(async ({ node, data, priceMsatPerMiB }) => {
    const added = await world.verb("add", "--in-place", file, ...data);
    const hash = String(added.lines.at(-1)?.hash);
    await world.waitUntilFound(hash, node.peerId, priceMsatPerMiB);
    return hash;
  }));
  return hashes[0]!;
}

interface Purchase {
  readonly hash: string;
  readonly file: string;
  readonly buyer: readonly string[];
}

async function getArgs(world: World, { hash, buyer }: Purchase, output: string): Promise<string[]> {
  const money = ["--price-max", String(Math.max(...PRICES)), "--fastest"];
  return [
    ...["get", hash, "-o", output, "--no-mdns", "--relay", await world.relay()],
    ...[...money, ...buyer],
  ];
}

async function buy(world: World, purchase: Purchase): Promise<Bought> {
  const output = `${purchase.file}.bought`;
  const { code, lines, stderr } = await world.verb(...await getArgs(world, purchase, output));
  return await boughtOf({ code, done: lines.at(-1) ?? {}, stderr }, purchase.file, output);
}

async function boughtOf(
  { code, done, stderr }: { code: number; done: JsonLine; stderr: string },
  file: string,
  output: string,
): Promise<Bought> {
  if (code !== 0) throw new Error(`get failed: ${done.message ?? stderr}`);
  const verified = await sha256OfFile(output) === await sha256OfFile(file);
  await Deno.remove(output);
  return {
    verified,
    ms: Number(done.ms),
    sources: done.sources as Bought["sources"],
    payments: done.payments as Bought["payments"],
  };
}

/** Kills the first shop while it is sending. */
async function buyFromTheRest(
  world: World,
  shops: readonly Shop[],
  purchase: Purchase,
): Promise<Bought & { readonly lostMsat: number }> {
  const output = `${purchase.file}.bought`;
  const getting = world.start(...await getArgs(world, purchase, output));
  await getting.waitFor((line) =>
    line.event === "progress" && Number(line.bytes) > SECOND_FILM_BYTES / 3
  );
  const { peerId, name } = shops[0]!.node;
  await world.killNode(name);
  const { code, lines, stderr } = await getting.result();
  const bought = await boughtOf({ code, done: lines.at(-1) ?? {}, stderr }, purchase.file, output);
  const lostMsat = bought.payments.filter((payment) => payment.peerId === peerId)
    .reduce((sum, { paidSat, usedMsat }) => sum + paidSat * 1000 - usedMsat, 0);
  return { ...bought, lostMsat: Math.max(0, lostMsat) };
}

/** What buyer and seller say of one seller's part, side by side. */
async function rowOf(world: World, shop: Shop, bought: Bought) {
  const { node, mintName, priceMsatPerMiB, data } = shop;
  const payments = bought.payments.filter((payment) => payment.peerId === node.peerId);
  const sum = (of: (one: Payment) => number) => payments.reduce((all, one) => all + of(one), 0);
  const { total } = (await world.verb("earnings", "--by", "peer", ...data)).lines.at(-1) as {
    readonly total: Readonly<Record<string, number>>;
  };
  const [paidSat, feeSat, usedMsat] = [
    sum((one) => one.paidSat),
    sum((one) => one.feeSat),
    sum((one) => one.usedMsat),
  ];
  const earnedMsat = Number(total.earnedMsat);
  const incomeSat = Number(total.provisionalSat) + Number(total.redeemedSat);
  return {
    seller: node.name,
    mint: mintName,
    priceMsatPerMiB,
    bytes: bought.sources.find((source) => source.id === node.peerId)?.bytes ?? 0,
    paidSat,
    feeSat,
    usedMsat,
    earnedMsat,
    incomeSat,
    // What raced and came second was sent, and so paid, all the same.
    agrees: earnedMsat >= usedMsat && earnedMsat <= paidSat * 1000 && incomeSat <= paidSat,
  };
}

async function randomFile(path: string, bytes: number): Promise<string> {
  using file = await Deno.open(path, { write: true, create: true });
  const piece = new Uint8Array(MIB);
  for (let at = 0; at < piece.length; at += 65_536) {
    crypto.getRandomValues(piece.subarray(at, at + 65_536));
  }
  for (let index = 0; index < bytes / MIB; index++) {
    new DataView(piece.buffer).setUint32(0, index);
    await file.write(piece);
  }
  return path;
}

const WIDTHS = [8, 6, 16, 12, 10, 8, 12] as const;

function tableLine(cells: readonly string[]): string {
  return cells.map((cell, index) =>
    index < 2 ? cell.padEnd(WIDTHS[index]!) : cell.padStart(WIDTHS[index]!)
  ).join("");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
