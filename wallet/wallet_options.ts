/** How a wallet is opened. */
import type { Clock, Random } from "../src/core/ports.ts";
import type { HeldBack } from "./held_back.ts";
import type { MintDeadlines } from "./mint/limits.ts";
import type { OpenHintSocket } from "./mint/quote_hints.ts";
import type { FaultPoint, WalletEvent } from "./operations/saga.ts";
import type { Budgets } from "./payments/budgets.ts";
import type { IntakePolicy } from "./payments/policy.ts";
import type { PaymentReceipt } from "./wallet_views.ts";

/** Money above a threshold goes to the user's own Lightning wallet by itself. */
export interface AutoSweep {
  /** Keep this much in all mints together, in sat. */
  readonly aboveSat: number;
  /** A Lightning address or LNURL-pay. */
  readonly to: string;
}

/** Options of `Wallet.open`. */
export interface WalletOptions {
  /** Folder of the wallet, made if it is missing. */
  readonly directory: string;
  /** The node's twelve words. */
  readonly seedWords: string;
  readonly clock: Clock;
  readonly random: Random;
  /** The mint that money goes to when nobody says. @default {the first trusted one} */
  readonly homeMint?: string;
  /** Takes mints and Lightning addresses on private networks, too. @default {false} */
  readonly allowPrivate?: boolean;
  /** @default {globalThis.fetch} */
  readonly fetch?: typeof globalThis.fetch;
  /** IP addresses of a host. @default {the system's resolver} */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /**
   * Opens the WebSocket on which a mint says that an invoice was paid; null for none, and then it is
   * asked every now and then only. @default {openHintSocket}
   */
  readonly openHints?: OpenHintSocket | null;
  /** Deadlines towards mints. */
  readonly deadlines?: Partial<MintDeadlines>;
  /** What payments may cost without asking the user. @default {BUDGETS} */
  readonly budgets?: Budgets;
  /** How incoming payments are treated. @default {INTAKE_POLICY} */
  readonly intake?: Partial<IntakePolicy>;
  /** @default {off} */
  readonly autoSweep?: AutoSweep;
  /** What must stay where it is, since it may have to be paid back. @default {nothing} */
  readonly heldBack?: HeldBack;
  /** How long a prepared operation waits to be confirmed, in milliseconds. @default {300000} */
  readonly holdMs?: number;
  /** How long preparing a payment may take, in milliseconds. @default {30000} */
  readonly prepareMs?: number;
  /** Whether open operations go on by themselves. @default {true} */
  readonly resumes?: boolean;
  /** Hears what people should. Must not throw. */
  readonly onEvent?: (event: WalletEvent) => void;
  /** Hears of each change of a payment to us. Must not throw. */
  readonly onPayment?: (receipt: PaymentReceipt) => void;
  /** Where a test may stop the world. */
  readonly fault?: FaultPoint;
}
