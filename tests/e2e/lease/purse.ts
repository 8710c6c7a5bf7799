/** Ecash of a lessee's data directory, made in this process: a verb for each token would take longer. */
import { join } from "node:path";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { seedWords } from "../../../src/app/identity.ts";
import { Wallet } from "../../../wallet/wallet.ts";

/** See the head of this file. */
export class LabPurse implements AsyncDisposable {
  readonly #wallet: Wallet;
  readonly #mint: string;

  private constructor(wallet: Wallet, mint: string) {
    this.#wallet = wallet;
    this.#mint = mint;
  }

  static async open(data: string, mint: string): Promise<LabPurse> {
    const wallet = await Wallet.open({
      directory: join(data, "wallet"),
      seedWords: await seedWords({ directory: data }),
      clock: systemClock,
      random: systemRandom,
    });
    return new LabPurse(wallet, mint);
  }

  /** A token, locked to a provider, or such as anybody can redeem. */
  async token(amountSat: number, lockTo?: string): Promise<string> {
    const prepared = await this.#wallet.prepareSend({
      mint: this.#mint,
      amountSat,
      ...(lockTo === undefined ? {} : { lockTo }),
    });
    const { id } = await this.#wallet.confirm(prepared.id);
    return await this.#wallet.token(id);
  }

  /** Takes in what was paid back. */
  async receive(token: string): Promise<void> {
    await this.#wallet.receive({ token });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#wallet[Symbol.asyncDispose]();
  }
}
