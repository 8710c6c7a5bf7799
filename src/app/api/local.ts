/** A node in this process: each method is a handler over the same pieces. */
import { SeedmintError } from "../../core/errors.ts";
import { wholeBlob } from "./targets.ts";
import { add, addedEvent, importAttributes } from "./handlers/add.ts";
import { exportContent, gc, list, pin, remove, unpin, verify } from "./handlers/content.ts";
import { refundCredit } from "./handlers/credits.ts";
import { find } from "./handlers/find.ts";
import { get } from "./handlers/get.ts";
import {
  announceImage,
  exportImage,
  listImages,
  probeImage,
  pullImage,
  pushImage,
  removeImages,
} from "./handlers/images.ts";
import { peers, status, ticket } from "./handlers/node.ts";
import { LEASE_HANDLERS } from "./handlers/leases.ts";
import { listReceipts, showReceipt } from "./handlers/receipts.ts";
import {
  followCatalog,
  listCatalogs,
  listEntries,
  publishCatalog,
  unfollowCatalog,
} from "./handlers/catalogs.ts";
import { PROVIDER_HANDLERS } from "./handlers/provider.ts";
import { getRelease } from "./handlers/release.ts";
import {
  disableService,
  earnings,
  enableService,
  listServices,
  setService,
} from "./handlers/selling.ts";
import type {
  AddAttributes,
  AddedEvent,
  CallOptions,
  MethodName,
  Methods,
  NodeApi,
} from "./methods.ts";
import { describeAdded, traced } from "../tracing.ts";
import type { Handler, NodeParts } from "./parts.ts";
import { WALLET_HANDLERS, type WalletMethodName, type WalletMethods } from "./wallet_methods.ts";

const HANDLERS: { readonly [Name in MethodName]: Handler<Name> } = {
  status,
  peers,
  list,
  add,
  get,
  find,
  pin,
  unpin,
  remove,
  gc,
  verify,
  export: exportContent,
  ticket,
  "services.list": listServices,
  "services.set": setService,
  "services.enable": enableService,
  "services.disable": disableService,
  earnings,
  "credits.refund": refundCredit,
  "receipts.list": listReceipts,
  "receipts.show": showReceipt,
  "image.list": listImages,
  "image.pull": pullImage,
  "image.push": pushImage,
  "image.remove": removeImages,
  "image.export": exportImage,
  "image.announce": announceImage,
  "image.probe": probeImage,
  "catalog.list": listCatalogs,
  "catalog.entries": listEntries,
  "catalog.follow": followCatalog,
  "catalog.unfollow": unfollowCatalog,
  "catalog.publish": publishCatalog,
  "release.get": getRelease,
  ...PROVIDER_HANDLERS,
  ...LEASE_HANDLERS,
  ...walletHandlers(),
};

/** The wallet's methods, each over the wallet of the parts. */
function walletHandlers(): { readonly [Name in WalletMethodName]: Handler<Name> } {
  const handlerOf =
    <Name extends WalletMethodName>(name: Name): Handler<WalletMethodName> =>
    async (parts, params, { signal }) => {
      if (parts.wallet === undefined) {
        throw new SeedmintError("unavailable", `Cannot do ${name}: no wallet is open here`);
      }
      return await parts.wallet.call(name, params as WalletMethods[Name]["params"], { signal });
    };
  const names = Object.keys(WALLET_HANDLERS) as WalletMethodName[];
  return Object.fromEntries(names.map((name) => [name, handlerOf(name)])) as never;
}

/** How much of a blob is read at a time. */
const READ_BYTES = 1 << 20;

/** Works on `parts` directly. */
export class LocalNode implements NodeApi {
  readonly mode: "running" | "alone";
  readonly #parts: NodeParts;
  readonly #close: () => Promise<void>;

  /** @param options `close` is called when this is disposed. */
  constructor(parts: NodeParts, options: { readonly close?: () => Promise<void> } = {}) {
    this.mode = parts.startedMs === undefined ? "alone" : "running";
    this.#parts = parts;
    this.#close = options.close ?? (() => Promise.resolve());
  }

  async call<Name extends MethodName>(
    method: Name,
    params: Methods[Name]["params"],
    options: CallOptions<Name> = {},
  ): Promise<Methods[Name]["result"]> {
    const signal = options.signal ?? new AbortController().signal;
    const emit = options.onEvent ?? (() => {});
    try {
      return await traced(
        this.#parts.tracing,
        method,
        () => HANDLERS[method](this.#parts, params, { signal, emit }),
      );
    } catch (error) {
      throw this.#explained(error, signal);
    }
  }

  readBlob(
    target: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ReadableStream<Uint8Array>> {
    const { store } = this.#parts;
    const record = wholeBlob(target, store);
    async function* read(): AsyncGenerator<Uint8Array> {
      await using reader = await store.openReader(record.hash);
      for (let offset = 0; offset < record.size;) {
        options.signal?.throwIfAborted();
        const bytes = new Uint8Array(Math.min(READ_BYTES, record.size - offset));
        const count = await reader.read(offset, bytes);
        if (count === 0) throw new SeedmintError("storage", `${record.hash} ended early`);
        yield bytes.subarray(0, count);
        offset += count;
      }
    }
    return Promise.resolve(ReadableStream.from(read()));
  }

  async addStream(
    stream: ReadableStream<Uint8Array>,
    attributes: AddAttributes & { readonly name?: string },
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<AddedEvent> {
    const { name } = attributes;
    const { store, tracing } = this.#parts;
    const work = async () => {
      const record = await store.importStream(stream, {
        ...importAttributes(attributes),
        ...(name === undefined ? {} : { name }),
        ...options,
      });
      return addedEvent(record, name ?? "-");
    };
    return tracing === undefined
      ? await work()
      : await tracing.span("seedmint.add", work, describeAdded);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  /** After a cancel, whatever broke is the cancel. */
  #explained(error: unknown, signal: AbortSignal): unknown {
    if (!signal.aborted) return error;
    return signal.reason instanceof SeedmintError
      ? signal.reason
      : new SeedmintError("aborted", "Interrupted", { cause: error });
  }
}
