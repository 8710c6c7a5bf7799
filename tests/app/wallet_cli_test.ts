import assert from "node:assert/strict";
import { main } from "../../src/app/cli/main.ts";
import type { Input } from "../../src/app/output/input.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { WalletApi } from "../../wallet/wallet_api.ts";
import {
  ID,
  INVOICE,
  MINT_A,
  MINT_B,
  operationOf,
  PREIMAGE,
  TOKEN,
  walletDouble,
} from "./wallet_double.ts";

interface Options {
  readonly answers?: Partial<WalletApi>;
  /** What a user types; without it nobody is there. */
  readonly typed?: string;
  /** What a pipe gives. */
  readonly piped?: string;
  readonly mode?: "running" | "alone";
}

function inputOf({ typed, piped }: Options): Input {
  const isTyped = typed !== undefined;
  const read = () => Promise.resolve(typed ?? piped ?? "");
  return { isTerminal: isTyped, isTyped, line: read, text: read };
}

async function run(line: string, options: Options = {}) {
  const { wallet, asked } = walletDouble(options.answers);
  let [out, err, openCount] = ["", "", 0];
  const code = await main(["wallet", ...line.split(" "), "--data", "/nowhere"], {
    writeOut: (bytes) => out += new TextDecoder().decode(bytes),
    writeErr: (bytes) => err += new TextDecoder().decode(bytes),
    isErrTerminal: false,
    columns: 80,
    isColored: false,
  }, {
    input: inputOf(options),
    openWallet: () => {
      openCount++;
      return Promise.resolve({
        mode: options.mode ?? "alone",
        wallet,
        [Symbol.asyncDispose]: () => {
          openCount--;
          return Promise.resolve();
        },
      });
    },
  });
  assert.equal(openCount, 0, "the wallet is closed");
  return { code, out, err, asked };
}

const PLAIN = [
  "balance",
  "mints",
  `mints add ${MINT_A} --trusted --exposure 50000`,
  `mints remove ${MINT_B}`,
  "fund 21 --no-qr",
  "fund 21 --no-qr --no-wait",
  "send 21 --yes",
  `pay ${INVOICE} --yes`,
  "withdraw anna@example.org 21 --yes",
  `swap 21 --from ${MINT_A} --to ${MINT_B} --yes`,
  `plan 21 --mint ${MINT_A}`,
  `prepare-payment --price 21 --mint ${MINT_A}`,
  "history",
  "pending",
  "resume",
  `reclaim ${ID}`,
  `cancel ${ID}`,
  `token ${ID}`,
  `preimage ${ID}`,
  "backup /nowhere/wallet.backup",
  "restore /nowhere/wallet.backup",
  "restore /nowhere/wallet.backup --replace",
  "audit",
];

for (const line of PLAIN) {
  const name = line.replace(INVOICE, "INVOICE");
  Deno.test(`wallet ${name} prints what it did`, async (t) => {
    const { code, out, err } = await run(line);
    await t.assertSnapshot(`exit ${code}\n--- stdout\n${out}--- stderr\n${err}`);
  });
  Deno.test(`wallet ${name} --json prints one object per line, and nothing else on stdout`, async (t) => {
    const { code, out } = await run(`${line} --json`);
    const objects = out.trimEnd().split("\n").map((text) => JSON.parse(text));
    await t.assertSnapshot({ code, objects });
  });
}

Deno.test("what leaves the wallet is asked about with its fees, and anything but yes lets go of it", async () => {
  for (const typed of ["", "n", "no", "yess", "ja"]) {
    const { code, out, err, asked } = await run("send 21", { typed });
    assert.deepEqual([code, out], [1, ""]);
    assert.match(err, /send 21 sat from https:\/\/a\.mint\.example, fee at most 1 sat\? \[y\/N\]/);
    assert.match(err, /you said no/);
    assert.deepEqual(asked.map(([method]) => method), ["prepareSend", "cancel"]);
  }
  for (const typed of ["y", "Y", "yes", " YES "]) {
    const { code, out, asked } = await run("send 21", { typed });
    assert.deepEqual([code, out], [0, `${TOKEN}\n`]);
    assert.deepEqual(asked.map(([method]) => method), ["prepareSend", "confirm", "token"]);
  }
});

Deno.test("where nobody can be asked, what would leave is refused before the wallet is opened", async () => {
  for (
    const line of [
      "send 21",
      `pay ${INVOICE}`,
      "withdraw anna@example.org 21",
      `swap 21 --from ${MINT_A} --to ${MINT_B}`,
    ]
  ) {
    const { code, err, asked } = await run(line);
    assert.deepEqual([code, asked], [2, []]);
    assert.match(err, /nobody is here to ask; say --yes/);
  }
});

Deno.test("a question that is interrupted lets go of what was prepared", async () => {
  const { wallet, asked } = walletDouble();
  const input: Input = {
    isTerminal: true,
    isTyped: true,
    line: () => Promise.reject(new SeedmintError("aborted", "Interrupted")),
    text: () => Promise.resolve(""),
  };
  const code = await main(["wallet", "send", "5", "-q", "--data", "/nowhere"], {
    writeOut: () => {},
    writeErr: () => {},
    isErrTerminal: false,
    columns: 80,
    isColored: false,
  }, {
    input,
    openWallet: () =>
      Promise.resolve({
        mode: "alone",
        wallet,
        [Symbol.asyncDispose]: () => Promise.resolve(),
      }),
  });
  assert.equal(code, 130);
  assert.deepEqual(asked.map(([method]) => method), ["prepareSend", "cancel"]);
});

Deno.test("a payment that is pending is waited for, and with --no-wait told of", async () => {
  const pending = operationOf({
    kind: "melt",
    state: "pending",
    reason: "Lightning has not decided yet",
  });
  const answers = { confirm: () => Promise.resolve(pending) };
  const waited = await run(`pay ${INVOICE} -y`, { answers });
  assert.deepEqual(waited.asked.map(([method]) => method), ["preparePay", "confirm", "wait"]);
  assert.equal(waited.out, "21 sat paid, fee 1 sat\n");
  assert.match(waited.err, /waiting: Lightning has not decided yet/);
  const left = await run(`pay ${INVOICE} -y --no-wait`, { answers });
  assert.deepEqual(left.asked.map(([method]) => method), ["preparePay", "confirm"]);
  assert.equal(left.out, "under way: Lightning has not decided yet; see wallet pending\n");
  assert.match(left.err, /wallet resume 0123/);
});

Deno.test("an operation that failed or needs a person ends the verb with its reason and 1", async () => {
  for (const status of ["failed", "attention"] as const) {
    const reason = "the mint said \u001b[2Jno";
    const answers = { confirm: () => Promise.resolve(operationOf({ status, reason })) };
    const { code, out, err } = await run("send 5 -y", { answers });
    assert.deepEqual([code, out], [1, ""]);
    assert.match(err, status === "failed" ? /nothing is lost/ : /needs you/);
    assert.ok(!err.includes("\u001b"));
    const json = await run("send 5 -y --json", { answers });
    assert.equal(JSON.parse(json.out.trim().split("\n").at(-1)!).event, "error");
  }
});

Deno.test("a token whose mint is slow is waited for", async () => {
  const slow = operationOf({ state: "swap-inflight", reason: "the mint does not answer" });
  const ready = operationOf({ state: "token-ready" });
  const { code, out, asked } = await run("send 5 -y", {
    answers: { confirm: () => Promise.resolve(slow), resume: () => Promise.resolve([ready]) },
  });
  assert.deepEqual([code, out], [0, `${TOKEN}\n`]);
  assert.deepEqual(
    asked.map(([method]) => method),
    ["prepareSend", "confirm", "resume", "token"],
  );
});

Deno.test("receive takes a token from a pipe, a terminal or, with a warning, the command line", async () => {
  for (const text of [`${TOKEN}\n`, `  cashu:${TOKEN} `]) {
    const { code, asked } = await run("receive", { piped: text });
    assert.deepEqual([code, asked], [0, [["receive", { token: TOKEN }]]]);
  }
  assert.equal((await run("receive -", { piped: TOKEN })).code, 0);
  assert.deepEqual((await run("receive", { typed: TOKEN })).asked[0]?.[1], { token: TOKEN });
  const cut = await run("receive", { typed: `cashuB${"a".repeat(4089)}` });
  assert.deepEqual([cut.code, cut.asked], [2, []]);
  assert.match(cut.err, /a terminal cuts lines/);
  const shown = await run(`receive ${TOKEN}`);
  assert.equal(shown.code, 0);
  assert.match(shown.err, /can see command lines/);
  for (const text of ["", "lnbc1", "cashuC123456", `cashuB${"a".repeat(200_001)}`]) {
    const { code, err } = await run("receive", { piped: text });
    assert.equal(code, 2);
    assert.ok(text === "" || !err.includes(text.slice(0, 12)) || text.length < 12);
  }
});

Deno.test("amounts, locks and limits reach the wallet as it wants them", async () => {
  const lock = `02${"ab".repeat(32)}`;
  const first = async (line: string, options?: Options) => (await run(line, options)).asked[0]?.[1];
  assert.deepEqual(await first("send 1_000sat -y"), { amountSat: 1000 });
  assert.deepEqual(await first("send 21000msat -y"), { amountSat: 21 });
  assert.deepEqual(await first(`send 5 -y --lock ${lock.toUpperCase()} --locktime 1900000000`), {
    amountSat: 5,
    lockTo: lock,
    locktimeS: 1_900_000_000,
  });
  const later = await first(`send 5 -y --lock ${lock} --locktime 7d`) as { locktimeS: number };
  assert.ok(Math.abs(later.locktimeS - Date.now() / 1000 - 7 * 86_400) < 60);
  assert.deepEqual(await first(`pay LIGHTNING:${INVOICE.toUpperCase()} -y --max-fee 2sat`), {
    invoice: INVOICE,
    maxFeeSat: 2,
  });
  assert.deepEqual(await first(`plan 5 --mint ${MINT_A} --mint ${MINT_B}`), {
    acceptedMints: [MINT_A, MINT_B],
    amountSat: 5,
  });
  const request = { acceptedMints: [MINT_A], priceSat: 5, lockTo: lock, paymentId: "one" };
  const piped = JSON.stringify(request);
  assert.deepEqual(await first("prepare-payment -", { piped }), request);
  for (const wrong of ["{}", "[]", "no", JSON.stringify({ ...request, priceSat: 1.5 })]) {
    assert.equal((await run("prepare-payment -", { piped: wrong })).code, 2, wrong);
  }
});

Deno.test("a payment above the budgets is asked about on a terminal, and refused elsewhere", async () => {
  const reason =
    "up to 22 sat more would be above the budget of 10 sat for a day; confirm it to pay";
  const answers: Partial<WalletApi> = {
    preparePayment: ({ confirmed }) =>
      Promise.resolve(
        confirmed
          ? { status: "ready", paymentId: "p", token: TOKEN, costSat: 22 }
          : { status: "declined", reason },
      ),
  };
  const line = `prepare-payment --price 21 --mint ${MINT_A}`;
  assert.equal((await run(line, { answers })).code, 1);
  assert.equal((await run(line, { answers, typed: "n" })).code, 1);
  const agreed = await run(line, { answers, typed: "y" });
  assert.deepEqual([agreed.code, agreed.out], [0, `${TOKEN}\n`]);
  assert.match(agreed.err, /above the budget of 10 sat for a day\. Pay all the same\? \[y\/N\]/);
  assert.equal((await run(`${line} --yes`, { answers })).code, 0);
});

Deno.test("what the wallet refuses ends the verb with its message, in the form that was asked for", async () => {
  const answers = {
    prepareSend: () => Promise.reject(new SeedmintError("denied", "Cannot send: 5 sat are free")),
  };
  const { code, err } = await run("send 21 -y", { answers });
  assert.deepEqual([code, err], [1, "error: Cannot send: 5 sat are free\n"]);
  const json = await run("send 21 -y --json", { answers });
  assert.deepEqual(JSON.parse(json.out), {
    event: "error",
    code: "denied",
    message: "Cannot send: 5 sat are free",
  });
});

Deno.test("pay prints the proof of payment to programs, and pays all the same where there is none", async () => {
  const confirm = () =>
    Promise.resolve(operationOf({ kind: "melt", state: "done", status: "done", feeSat: 1 }));
  const proven = await run(`pay ${INVOICE} --yes --json`, { answers: { confirm } });
  assert.equal(JSON.parse(proven.out.trimEnd().split("\n").at(-1)!).preimage, PREIMAGE);
  const plain = await run(`pay ${INVOICE} --yes`, { answers: { confirm } });
  assert.ok(!(plain.out + plain.err).includes(PREIMAGE));
  const preimage = () => Promise.reject(new SeedmintError("not-found", "no proof"));
  const without = await run(`pay ${INVOICE} --yes --json`, { answers: { confirm, preimage } });
  assert.equal(without.code, 0);
  assert.ok(!without.out.includes("preimage"));
});

Deno.test("restore --replace names the copy that is kept, and wants a file", async () => {
  const restore = () =>
    Promise.resolve({ operations: [], foundSat: 0, replacedPath: "/nowhere/wallet.replaced-1" });
  const { code, err, asked } = await run("restore /nowhere/file --replace", {
    answers: { restore },
  });
  assert.equal(code, 0);
  assert.match(err, /kept in \/nowhere\/wallet\.replaced-1/);
  assert.deepEqual(asked, [["restore", { path: "/nowhere/file", replace: true }]]);
  const without = await run("restore --replace");
  assert.deepEqual([without.code, without.asked], [2, []]);
});
