/** What whoever tests may order of a Lightning service in another process. */
import { askLightning, HttpLightning, type LightningOptions } from "./client.ts";
import type { LightningBooks, RoutingFees } from "./fake_lightning.ts";
import type { PaymentScript } from "./scripts.ts";

/** {@link HttpLightning} with the orders of `FakeLightning`, over HTTP. */
export class LightningAdmin extends HttpLightning {
  async script(script: PaymentScript, options: LightningOptions = {}): Promise<void> {
    await this.#post("/script", script, options);
  }

  async clearScripts(options: LightningOptions = {}): Promise<void> {
    await this.#post("/script/clear", {}, options);
  }

  /** @returns How many payments changed. */
  async settle(paymentHash: string, from?: string): Promise<number> {
    return Number((await this.#post("/settle", { paymentHash, from })).count);
  }

  /** @returns How many payments changed. */
  async fail(paymentHash: string, from?: string): Promise<number> {
    return Number((await this.#post("/fail", { paymentHash, from })).count);
  }

  async setFees({ baseMsat, ppm }: RoutingFees): Promise<void> {
    await this.#post("/routing", { baseMsat: Number(baseMsat), ppm: Number(ppm) });
  }

  async offline(isOffline: boolean): Promise<void> {
    await this.#post("/offline", { offline: isOffline });
  }

  async books(options: LightningOptions = {}): Promise<LightningBooks> {
    const answer = await askLightning(`${this.url}/books`, { ...options, method: "GET" });
    const sums = (part: Record<string, unknown>) =>
      Object.fromEntries(
        Object.entries(part).map(([key, value]) =>
          key.endsWith("Msat") ? [key, BigInt(value as number)] : [key, value]
        ),
      );
    const nodes = (answer.nodes as Record<string, unknown>[]).map(sums);
    return { ...sums(answer), nodes } as unknown as LightningBooks;
  }

  async #post(
    path: string,
    body: unknown,
    options: LightningOptions = {},
  ): Promise<Record<string, unknown>> {
    return await askLightning(this.url + path, { ...options, method: "POST", body });
  }
}
