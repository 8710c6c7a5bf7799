/**
 * A Cashu mint for development and tests.
 *
 * DEVELOPMENT ONLY, NO CUSTODY. Its keys lie unprotected on disk, its signatures are not constant in
 * time, its Lightning is fake, and anyone who reaches its admin interface can make it lie.
 */
import type { Clock, Random } from "../../src/core/ports.ts";
import { ProcessLock, SqliteConnection } from "../../src/sqlite/mod.ts";
import { HttpLightning, type LightningClient } from "../lightning/client.ts";
import { systemClock, systemRandom } from "../../src/host/system.ts";
import { DevMintAdmin } from "./admin.ts";
import { answerAdmin } from "./admin_routes.ts";
import { MintClock } from "./clock.ts";
import type { MintContext } from "./context.ts";
import { Faults } from "./faults.ts";
import { Keysets } from "./keysets.ts";
import { Listener } from "./listener.ts";
import { Melts } from "./melts.ts";
import { RateLimiter } from "./rate_limit.ts";
import { RequestLog } from "./request_log.ts";
import { Routes } from "./routes.ts";
import { MIGRATIONS } from "./schema.ts";
import { Settings } from "./settings.ts";
import { Settlement } from "./settlement.ts";
import { Updates } from "./updates.ts";
import { Sockets } from "./ws.ts";

/** Options of {@link DevMint.start}. */
export interface DevMintOptions {
  /** Name in `/v1/info`, and of its account on Lightning. */
  readonly name: string;
  /** The fake Lightning network, or the address of its service. */
  readonly lightning: LightningClient | string;
  /** Folder of its state; in memory when left out. */
  readonly directory?: string;
  /** @default {0}, any free port. */
  readonly port?: number;
  /** Loopback only. @default {"127.0.0.1"} */
  readonly hostname?: string;
  /** Opens a second port for `/admin/*`, which stays when the mint is offline; 0 for any free one. */
  readonly adminPort?: number;
  /** Fee of the first keyset, in thousandths of a sat for each input. @default {0} */
  readonly inputFeePpk?: number;
  /** Of the first keyset: see {@link NewKeyset}. @default {2} */
  readonly keysetIdVersion?: 1 | 2;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A running mint. */
export class DevMint implements AsyncDisposable {
  readonly admin: DevMintAdmin;
  readonly #listener: Listener;
  readonly #adminListener: Listener | undefined;
  readonly #resources: AsyncDisposableStack;

  private constructor(
    admin: DevMintAdmin,
    listeners: { readonly main: Listener; readonly admin: Listener | undefined },
    resources: AsyncDisposableStack,
  ) {
    this.admin = admin;
    this.#listener = listeners.main;
    this.#adminListener = listeners.admin;
    this.#resources = resources;
  }

  /**
   * Opens the state and listens.
   *
   * @throws {RangeError} If `hostname` is not loopback.
   * @throws {SeedmintError} `locked` if another mint uses the folder.
   */
  static async start(options: DevMintOptions): Promise<DevMint> {
    const hostname = options.hostname ?? "127.0.0.1";
    if (!/^(127\.\d+\.\d+\.\d+|localhost|::1)$/.test(hostname)) {
      throw new RangeError(`Cannot listen on ${hostname}: a development mint is for loopback only`);
    }
    // Disposed of in the opposite order: nothing may use the state once it is closed.
    await using resources = new AsyncDisposableStack();
    const stop = new AbortController();
    const context = await openContext(options, { resources, signal: stop.signal });
    const melts = new Melts(context);
    const sockets = new Sockets(context, melts);
    const parts = { context, melts, log: new RequestLog(), limiter: new RateLimiter() };
    const routes = new Routes(parts);
    resources.defer(() => melts.settled());
    const settlement = resources.use(new Settlement(context, melts));
    const main = resources.use(new Listener({ hostname, port: options.port ?? 0 }));
    const admin = new DevMintAdmin({
      ...parts,
      setOffline: async (isOffline) => {
        if (!isOffline) return await main.open();
        sockets.closeAll();
        await main.close();
      },
      clearCache: () => routes.clearCache(),
    });
    const adminListener = options.adminPort === undefined
      ? undefined
      : resources.use(new Listener({ hostname, port: options.adminPort }));
    resources.defer(() => sockets.closeAll());
    resources.defer(() => stop.abort());
    main.handler = (request) => {
      const { pathname } = new URL(request.url);
      if (pathname.startsWith("/admin/")) return answerAdmin(admin, request);
      if (pathname === "/v1/ws" && context.settings.hasNut(17)) return sockets.accept(request);
      settlement.kick();
      return routes.answer(request);
    };
    await main.open();
    if (adminListener) {
      adminListener.handler = (request) => answerAdmin(admin, request);
      await adminListener.open();
    }
    return new DevMint(admin, { main, admin: adminListener }, resources.move());
  }

  /** Without a slash at the end. */
  get url(): string {
    return this.#listener.url;
  }

  /** Of the port for the admin interface alone, if there is one. */
  get adminUrl(): string | undefined {
    return this.#adminListener?.url;
  }

  /** Stops listening, gives up waiting for Lightning, and closes the state. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

async function openContext(
  options: DevMintOptions,
  { resources, signal }: {
    readonly resources: AsyncDisposableStack;
    readonly signal: AbortSignal;
  },
): Promise<MintContext> {
  let path = ":memory:";
  if (options.directory !== undefined) {
    await Deno.mkdir(options.directory, { recursive: true, mode: 0o700 });
    const what = `the development mint in ${options.directory}`;
    resources.use(ProcessLock.take(`${options.directory}/lock`, what));
    path = `${options.directory}/mint.sqlite`;
  }
  const db = resources.use(
    SqliteConnection.open(path, { migrations: MIGRATIONS, synchronous: "full" }),
  );
  const random = options.random ?? systemRandom;
  const settings = new Settings(db);
  const keysets = new Keysets(db, random);
  if (keysets.all().length === 0) {
    const { inputFeePpk: feePpk = 0, keysetIdVersion: idVersion = 2 } = options;
    keysets.rotate({ feePpk, idVersion });
  }
  return {
    name: options.name,
    db,
    clock: new MintClock(options.clock ?? systemClock, settings.behaviour.clockOffsetS),
    random,
    lightning: typeof options.lightning === "string"
      ? new HttpLightning(options.lightning)
      : options.lightning,
    keysets,
    settings,
    faults: new Faults(),
    updates: new Updates(),
    signal,
  };
}
