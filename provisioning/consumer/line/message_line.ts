/** Asking providers by private messages. */
import type { Clock, Random } from "../../../src/core/ports.ts";
import type { PrivateKind, RelayPool, SeenIds } from "../../../src/nostr/mod.ts";
import type { Answer } from "../../wire/mod.ts";
import type { LeaseBook } from "../book/lease_book.ts";
import type {
  LineOptions,
  NamedRequest,
  ProviderAddress,
  ProviderLine,
  UnaskedAnswer,
} from "../ports.ts";

/** What a line of messages needs. */
export interface MessageLineOptions {
  /** Keeps what was asked, so that the same request is the same message after a crash. */
  readonly book: LeaseBook;
  readonly pool: Pick<RelayPool, "publish" | "subscribe" | "query">;
  /** 32 bytes. */
  readonly secretKey: Uint8Array;
  /** A file of its own: a provider with the same key has another. */
  readonly seen: SeenIds;
  readonly clock: Clock;
  readonly random: Random;
  /** How messages travel. By default NIP-17 to providers of ours, NIP-04 to those of Paygress. */
  readonly kindFor?: (to: ProviderAddress) => PrivateKind;
  readonly onProblem?: (message: string) => void;
}

/** A line of private messages; dispose of it to end it. */
export class MessageLine implements ProviderLine, AsyncDisposable {
  private constructor(_options: MessageLineOptions) {
  }

  static open(_options: MessageLineOptions): MessageLine {
    throw new Error("not yet");
  }

  ask(_to: ProviderAddress, _request: NamedRequest, _options: LineOptions): Promise<Answer> {
    throw new Error("not yet");
  }

  onUnasked(_listener: (message: UnaskedAnswer) => void): () => void {
    throw new Error("not yet");
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
