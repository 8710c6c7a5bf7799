/** A cdk-mintd with its FakeWallet, which pays its own invoices and those of others. */
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { newSeedWords } from "../../../src/core/keys.ts";
import { type ForeignMint, freePort, Server } from "../mints/server.ts";
import { CDK_VERSION } from "./install.ts";

/** Options of {@link Cdk.start}. */
export interface CdkOptions {
  readonly program: string;
  readonly directory: string;
  readonly feePpk?: number;
  /** Of its keysets' ids (NUT-02). @default {"01"} */
  readonly keysetVersion?: "00" | "01";
}

/** See the head of this file. */
export class Cdk implements ForeignMint {
  readonly name = `cdk-mintd ${CDK_VERSION}`;
  readonly url: string;
  readonly #options: CdkOptions;
  readonly #port = freePort();
  readonly #env: Readonly<Record<string, string>>;
  #server: Server | undefined;

  private constructor(options: CdkOptions) {
    this.#options = options;
    this.url = `http://127.0.0.1:${this.#port}`;
    this.#env = { HOME: options.directory, CDK_MINTD_MNEMONIC: newSeedWords() };
  }

  /** Starts a mint of its own words and database. */
  static async start(options: CdkOptions): Promise<Cdk> {
    await Deno.mkdir(join(options.directory, "data"), { recursive: true });
    const mint = new Cdk(options);
    await mint.#configure(["init", "--new-mint"], options.feePpk ?? 100);
    await mint.#start();
    return mint;
  }

  /** Another fee in its configuration makes a new keyset at the next start. */
  async rotateKeyset(feePpk: number): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await this.#configure(["apply"], feePpk);
    await this.#start();
  }

  async restart(): Promise<void> {
    await this.#server?.kill();
    await this.#start();
  }

  outstandingSat(): number {
    using database = new DatabaseSync(join(this.#options.directory, "data/cdk-mintd.sqlite"), {
      readOnly: true,
    });
    const row = database.prepare(
      "SELECT coalesce(sum(total_issued), 0) - coalesce(sum(total_redeemed), 0) AS sat " +
        "FROM keyset_amounts",
    ).get() as { readonly sat: number };
    return row.sat;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
  }

  async #configure(how: readonly string[], feePpk: number): Promise<void> {
    const { directory, program } = this.#options;
    const file = join(directory, "config.toml");
    await Deno.writeTextFile(file, this.#document(feePpk));
    const { success, stderr } = await new Deno.Command(program, {
      args: ["--work-dir", join(directory, "data"), "config", ...how, "--file", file],
      clearEnv: true,
      env: { ...this.#env },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) {
      throw new Error(`cdk-mintd refuses its configuration: ${new TextDecoder().decode(stderr)}`);
    }
  }

  async #start(): Promise<void> {
    const { directory, program } = this.#options;
    this.#server = await Server.start({
      command: program,
      args: ["--work-dir", join(directory, "data")],
      directory,
      readyUrl: `${this.url}/v1/info`,
      env: this.#env,
    });
  }

  #document(feePpk: number): string {
    return `[info]
url = "${this.url}"
listen_host = "127.0.0.1"
listen_port = ${this.#port}
mnemonic = "env:CDK_MINTD_MNEMONIC"
input_fee_ppk = ${feePpk}
use_keyset_v2 = ${this.#options.keysetVersion !== "00"}

[info.logging]
output = "stderr"

[payment_backend]
backend = "fakewallet"

[fake_wallet]
fee_percent = 0.02
reserve_fee_min = 2
min_delay_time = 0
max_delay_time = 0
supported_units = ["sat"]
custom_payment_methods = []
`;
  }
}
