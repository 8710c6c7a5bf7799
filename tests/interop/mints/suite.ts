/** Runs cases one after the other, each within a limit, and says what became of them. */
import { messageOf } from "../../../src/core/errors.ts";

/** No case takes longer, in milliseconds. */
const CASE_MS_MAX = 90_000;

/** Results of one suite. */
export class Suite {
  readonly #name: string;
  readonly #startMs = performance.now();
  readonly #failed: string[] = [];
  readonly #skipped: string[] = [];
  #passedCount = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** Runs one case; its failure is told and does not stop the others. */
  async case(
    name: string,
    task: () => Promise<void>,
    { limitMs = CASE_MS_MAX }: { readonly limitMs?: number } = {},
  ): Promise<void> {
    const startMs = performance.now();
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`not done after ${limitMs / 1000} s`)),
      limitMs,
    );
    try {
      await Promise.race([task(), late.promise]);
      this.#passedCount++;
      console.log(`ok: ${name} (${Math.round(performance.now() - startMs)} ms)`);
    } catch (error) {
      this.#failed.push(name);
      console.log(`FAILED: ${name}: ${messageOf(error)}`);
      if (error instanceof Error && error.stack !== undefined) console.log(error.stack);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Says that a case was left out, and why. */
  skip(name: string, why: string): void {
    this.#skipped.push(name);
    console.log(`skipped: ${name}: ${why}`);
  }

  /** Says what a reader should know of the cases that follow. */
  note(text: string): void {
    console.log(`note: ${text}`);
  }

  /** What no mint with a FakeWallet can prove. */
  noteFakeWallet(): void {
    this.note(
      "FakeWallet settles by itself: that B is paid because A paid is proven on our own mints only",
    );
  }

  /** The closing line. @returns Whether every case passed. */
  close(): boolean {
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(1);
    console.log(
      `${this.#name}: ${this.#passedCount} ok, ${this.#failed.length} failed, ` +
        `${this.#skipped.length} skipped in ${seconds} s`,
    );
    return this.#failed.length === 0;
  }
}
