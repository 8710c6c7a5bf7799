/**
 * The node for calls that come now and then: the running one, or one that is opened for as long as
 * calls follow each other, so that it keeps nobody else from the store for longer.
 */
import type { Clock } from "../../core/ports.ts";
import type { NodeApi } from "../api/methods.ts";
import type { UseNode } from "./agent_desk.ts";

/** How long an unused node stays open. */
const IDLE_MS = 2_000;

/** Opens when it is needed, and closes a while later. */
export class NodeUse implements AsyncDisposable {
  readonly #open: () => Promise<NodeApi>;
  readonly #clock: Clock;
  #node: Promise<NodeApi> | undefined;
  #useCount = 0;
  #cancelIdle: () => void = () => {};
  #closing: Promise<void> = Promise.resolve();

  constructor(options: { readonly open: () => Promise<NodeApi>; readonly clock: Clock }) {
    this.#open = options.open;
    this.#clock = options.clock;
  }

  /** Lends it. */
  readonly use: UseNode = async (work) => {
    this.#cancelIdle();
    this.#useCount++;
    try {
      return await work(await this.#opened());
    } finally {
      if (--this.#useCount === 0) {
        this.#cancelIdle = this.#clock.timer(IDLE_MS, () => this.#close());
      }
    }
  };

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelIdle();
    this.#close();
    await this.#closing;
  }

  #opened(): Promise<NodeApi> {
    if (this.#node !== undefined) return this.#node;
    // The store is free only once the last one is closed.
    const opening = this.#closing.then(this.#open);
    this.#node = opening;
    opening.catch(() => {
      if (this.#node === opening) this.#node = undefined;
    });
    return opening;
  }

  #close(): void {
    const node = this.#node;
    this.#node = undefined;
    if (node === undefined) return;
    this.#closing = node.then((node) => node[Symbol.asyncDispose]()).catch(() => {});
  }
}
