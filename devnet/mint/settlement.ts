/** Asks Lightning again and again while somebody waits for an answer, and rests otherwise. */
import type { MintContext } from "./context.ts";
import { POLL_MS } from "./limits.ts";
import type { Melts } from "./melts.ts";
import { refreshMintQuote } from "./mint_quotes.ts";

/** The loop that ends melts, and that sees paid quotes of which wallets want to hear. */
export class Settlement implements AsyncDisposable {
  readonly #context: MintContext;
  readonly #melts: Melts;
  readonly #ended: Promise<void>;
  #wake: () => void = () => {};
  #hasNews = true;

  constructor(context: MintContext, melts: Melts) {
    this.#context = context;
    this.#melts = melts;
    context.updates.onWatch = () => this.kick();
    this.#ended = this.#run();
  }

  /** Looks now. */
  kick(): void {
    this.#hasNews = true;
    this.#wake();
  }

  /** Waits for the end, once the signal of the context is aborted. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.kick();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal, clock } = this.#context;
    while (!signal.aborted) {
      this.#hasNews = false;
      const isWaiting = await this.#look();
      try {
        if (isWaiting) await clock.sleep(POLL_MS, signal);
        else if (!this.#hasNews) await new Promise<void>((resolve) => this.#wake = resolve);
      } catch {
        return;
      }
    }
  }

  async #look(): Promise<boolean> {
    const { updates, db } = this.#context;
    const quotes = updates.watched("bolt11_mint_quote").filter((id) =>
      db.get("SELECT 1 FROM mint_quotes WHERE id = ? AND state = 'UNPAID'", id)
    );
    const [isPaying] = await Promise.all([
      this.#melts.driveAll(),
      ...quotes.map((id) => refreshMintQuote(this.#context, id)),
    ]);
    return isPaying || quotes.length > 0;
  }
}
