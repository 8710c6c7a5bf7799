/**
 * How our own layers hand bytes to each other: a function call instead of an event and a list.
 * Every layer still is a libp2p `MessageStream`, so a stock layer may sit above or below.
 */

/** What a layer above does with bytes that arrived. */
export interface DirectConsumer {
  /**
   * Takes bytes from the front of `bytes`, which is valid only during the call.
   *
   * @returns How many bytes were used; the rest comes again, followed by more.
   */
  onBytes(bytes: Uint8Array): number;
  /** Called after the bytes of one read were handed over. */
  onBatchEnd(): void;
}

/** A layer that can feed a {@link DirectConsumer} instead of dispatching `message` events. */
export interface DirectSource {
  /** Hands over what is buffered, then everything that arrives. At most one consumer, for good. */
  attach(consumer: DirectConsumer): void;
}

/** A layer that lends space in its output, so that the layer above writes there without a copy. */
export interface DirectSink {
  /** Space for `count` bytes, valid until {@link commit} or the next call. */
  reserve(count: number): Uint8Array;
  /** Queues the first `count` bytes of the space. */
  commit(count: number): void;
  /** Whether a writer should wait for the `drain` event. */
  readonly needsDrain: boolean;
}

/** Whether `layer` feeds consumers directly. */
export function isDirectSource(layer: object): layer is DirectSource {
  return typeof (layer as Partial<DirectSource>).attach === "function";
}

/** Whether `layer` lends space in its output. */
export function isDirectSink(layer: object): layer is DirectSink {
  return typeof (layer as Partial<DirectSink>).reserve === "function" &&
    typeof (layer as Partial<DirectSink>).commit === "function";
}
