/** The parts of an open wallet, put together. */
import { parseSeedWords } from "../src/core/keys.ts";
import { BuyingDesk } from "./buying/desk.ts";
import { ChannelTill } from "./channel/channel_intake.ts";
import { FundHints } from "./fund_hints.ts";
import { Housekeeper } from "./housekeeper.ts";
import { walletKeysOf } from "./keys.ts";
import { MintList } from "./listed_mints.ts";
import { ListedMints } from "./mint/mints.ts";
import { openHintSocket } from "./mint/quote_hints.ts";
import { channelSaga } from "./operations/channel.ts";
import { channelCloseSaga } from "./operations/channel_close.ts";
import { Engine } from "./operations/engine.ts";
import { fundSaga } from "./operations/fund.ts";
import { meltSaga } from "./operations/melt.ts";
import { redeemSaga } from "./operations/redeem.ts";
import { restoreSaga } from "./operations/restore.ts";
import { Resumer } from "./operations/resumer.ts";
import { sendSaga } from "./operations/send.ts";
import { stripSaga } from "./operations/strip.ts";
import { swapSaga } from "./operations/swap.ts";
import { BUDGETS } from "./payments/budgets.ts";
import { Intake } from "./payments/intake.ts";
import { INTAKE_POLICY } from "./payments/policy.ts";
import { ThreadVerifier } from "./payments/proof_verifier.ts";
import { Payments } from "./planner/payments.ts";
import { SqliteWalletStore } from "./store/sqlite_wallet_store.ts";
import { Sweeper } from "./sweeper.ts";
import type { WalletOptions } from "./wallet_options.ts";

/** What a wallet is made of. */
export interface WalletParts {
  readonly options: WalletOptions;
  readonly store: SqliteWalletStore;
  readonly engine: Engine;
  readonly list: MintList;
  readonly intake: Intake;
  readonly channels: ChannelTill;
  readonly payments: Payments;
  readonly buying: BuyingDesk;
  readonly housekeeper: Housekeeper;
  readonly sweeper: Sweeper;
  readonly resumer: Resumer | undefined;
}

/** Opens all parts; `stack` closes them in the right order. */
export function openParts(options: WalletOptions, stack: AsyncDisposableStack): WalletParts {
  const { clock, allowPrivate = false } = options;
  const { store, mints, engine } = openEngine(options, stack);
  const list = new MintList(engine.context, {
    mints,
    allowPrivate,
    ...options.homeMint === undefined ? {} : { homeMint: options.homeMint },
  });
  const homeMint = () => list.home();
  const payments = new Payments(engine, {
    budgets: options.budgets ?? BUDGETS,
    homeMint,
    allowPrivate,
    ...options.prepareMs === undefined ? {} : { deadlineMs: options.prepareMs },
  });
  const buying = stack.use(
    new BuyingDesk(engine, {
      payments,
      budgets: options.budgets ?? BUDGETS,
      homeMint,
      allowPrivate,
      ...options.prepareMs === undefined ? {} : { deadlineMs: options.prepareMs },
    }),
  );
  const sweeper = stack.use(new Sweeper(engine, options, homeMint));
  const housekeeper = stack.use(
    new Housekeeper(engine, {
      sweeper,
      payments,
      ...options.onPayment === undefined ? {} : { onPayment: options.onPayment },
    }),
  );
  const resumer = options.resumes === false ? undefined : stack.use(new Resumer(engine));
  startHints(options, { engine, resumer, stack });
  const policy = { ...INTAKE_POLICY, ...options.intake };
  const verifier = stack.use(new ThreadVerifier({ clock }));
  return {
    options,
    store,
    engine,
    list,
    intake: new Intake(engine.context, {
      policy,
      verifier,
      onTaken: () => resumer?.wake(),
    }),
    channels: new ChannelTill(engine, { policy, verifier, onTaken: () => resumer?.wake() }),
    payments,
    buying,
    housekeeper,
    sweeper,
    resumer,
  };
}

function startHints(
  options: WalletOptions,
  parts: Pick<WalletParts, "engine" | "resumer"> & { readonly stack: AsyncDisposableStack },
): void {
  const { openHints = openHintSocket, resolve, allowPrivate = false } = options;
  if (openHints === null) return;
  const { engine, resumer, stack } = parts;
  const hints = stack.use(
    new FundHints(engine, {
      open: openHints,
      allowPrivate,
      ...resolve === undefined ? {} : { resolve },
      wake: () => resumer?.wake(),
    }),
  );
  // A wallet for one verb watches only what the verb is about.
  if (resumer !== undefined) hints.start();
}

/** The database, the mints, and what carries operations out over both. */
function openEngine(options: WalletOptions, stack: AsyncDisposableStack) {
  const { clock, random, allowPrivate = false, autoSweep } = options;
  if (
    autoSweep !== undefined &&
    !(Number.isSafeInteger(autoSweep.aboveSat) && autoSweep.aboveSat >= 0)
  ) {
    throw new RangeError("Cannot sweep: the threshold is a whole number of sat");
  }
  const keys = walletKeysOf(parseSeedWords(options.seedWords));
  const store = stack.use(SqliteWalletStore.open({
    directory: options.directory,
    clock,
    seedFingerprint: keys.fingerprint,
  }));
  const emit = options.onEvent ?? (() => {});
  const mints = new ListedMints({
    store,
    clock,
    allowPrivate,
    ...options.fetch === undefined ? {} : { fetch: options.fetch },
    ...options.resolve === undefined ? {} : { resolve: options.resolve },
    ...options.deadlines === undefined ? {} : { deadlines: options.deadlines },
    onBlocked: (mint, message) => emit({ event: "mint-blocked", mint, message }),
  });
  const { heldBack, fault = () => {} } = options;
  const context = {
    ...{ store, mints, keys, clock, random, fault, emit },
    ...heldBack === undefined ? {} : { heldBack },
  };
  const engine = stack.use(
    new Engine(context, [
      fundSaga,
      sendSaga,
      stripSaga,
      channelSaga,
      channelCloseSaga,
      redeemSaga,
      meltSaga,
      swapSaga,
      restoreSaga,
    ]),
  );
  return { store, mints, engine };
}
