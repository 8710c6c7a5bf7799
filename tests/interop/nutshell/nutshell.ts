/** A nutshell mint with its FakeWallet, which pays its own invoices and those of others. */
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { type ForeignMint, freePort, Server } from "../mints/server.ts";
import { NUTSHELL_VERSION } from "./install.ts";

/** What a payment of FakeWallet becomes, when it is made and when it is asked about. */
export interface Script {
  readonly paid: "SETTLED" | "PENDING" | "FAILED" | "UNKNOWN";
  readonly asked: "SETTLED" | "PENDING" | "FAILED" | "UNKNOWN";
  /** Whether its own invoices pay themselves. @default {true} */
  readonly paysItself?: boolean;
}

/** Options of {@link Nutshell.start}. */
export interface NutshellOptions {
  /** Where the programs of the virtual environment are. */
  readonly bin: string;
  readonly directory: string;
  readonly feePpk?: number;
  /** Transactions a minute from one address; 0 is no limit. @default {0} */
  readonly ratePerMinute?: number;
}

/** See the head of this file. */
export class Nutshell implements ForeignMint {
  readonly name = `nutshell ${NUTSHELL_VERSION}`;
  readonly url: string;
  readonly #options: NutshellOptions;
  readonly #port = freePort();
  readonly #rpcPort = freePort();
  #server: Server | undefined;

  private constructor(options: NutshellOptions) {
    this.#options = options;
    this.url = `http://127.0.0.1:${this.#port}`;
  }

  /** Starts a mint of its own key and database. */
  static async start(options: NutshellOptions): Promise<Nutshell> {
    await Deno.mkdir(options.directory, { recursive: true });
    const mint = new Nutshell(options);
    await mint.#start({ paid: "SETTLED", asked: "SETTLED" });
    return mint;
  }

  /** Through its management interface, as an operator would; without an end unless one is given. */
  async rotateKeyset(feePpk: number, { lifeS }: { readonly lifeS?: number } = {}): Promise<void> {
    const expiryS = Math.floor(Date.now() / 1000) + (lifeS ?? 0);
    const { success, stderr } = await new Deno.Command(join(this.#options.bin, "mint-cli"), {
      args: ["--insecure", "--host", "127.0.0.1", "--port", `${this.#rpcPort}`].concat(
        ["next-keyset", "sat", `${feePpk}`, ...lifeS === undefined ? [] : ["64", `${expiryS}`]],
      ),
      cwd: this.#options.directory,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    const trouble = new TextDecoder().decode(stderr).trim();
    if (!success || trouble.startsWith("Error")) throw new Error(`mint-cli failed: ${trouble}`);
  }

  async restart(): Promise<void> {
    await this.restartWith({ paid: "SETTLED", asked: "SETTLED" });
  }

  /** Kills it and starts it with a Lightning that behaves as told. */
  async restartWith(script: Script): Promise<void> {
    await this.#server?.kill();
    await this.#start(script);
  }

  outstandingSat(): number {
    using database = new DatabaseSync(
      join(this.#options.directory, "database/mint.sqlite3"),
      { readOnly: true },
    );
    const row = database.prepare(
      "SELECT (SELECT coalesce(sum(amount), 0) FROM promises WHERE c_ IS NOT NULL) - " +
        "(SELECT coalesce(sum(amount), 0) FROM proofs_used) AS sat",
    ).get() as { readonly sat: number };
    return row.sat;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
  }

  async #start(script: Script): Promise<void> {
    const { bin, directory, feePpk = 100, ratePerMinute = 0 } = this.#options;
    this.#server = await Server.start({
      command: join(bin, "mint"),
      args: ["--host", "127.0.0.1", "--port", `${this.#port}`],
      directory,
      readyUrl: `${this.url}/v1/info`,
      env: {
        HOME: directory,
        CASHU_DIR: directory,
        MINT_PRIVATE_KEY: "the key of a mint for tests",
        MINT_DATABASE: join(directory, "database"),
        MINT_BACKEND_BOLT11_SAT: "FakeWallet",
        MINT_INPUT_FEE_PPK: `${feePpk}`,
        MINT_RATE_LIMIT: ratePerMinute > 0 ? "TRUE" : "FALSE",
        ...ratePerMinute > 0 ? { MINT_TRANSACTION_RATE_LIMIT_PER_MINUTE: `${ratePerMinute}` } : {},
        MINT_RPC_SERVER_ENABLE: "TRUE",
        MINT_RPC_SERVER_ADDR: "127.0.0.1",
        MINT_RPC_SERVER_PORT: `${this.#rpcPort}`,
        MINT_RPC_SERVER_MUTUAL_TLS: "FALSE",
        FAKEWALLET_BRR: script.paysItself === false ? "FALSE" : "TRUE",
        FAKEWALLET_DELAY_INCOMING_PAYMENT: "0",
        FAKEWALLET_DELAY_OUTGOING_PAYMENT: "0",
        FAKEWALLET_PAY_INVOICE_STATE: script.paid,
        FAKEWALLET_PAYMENT_STATE: script.asked,
      },
    });
  }
}
