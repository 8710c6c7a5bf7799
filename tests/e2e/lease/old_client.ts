/** A client that speaks the wire and nothing else: a key, a relay, requests and answers. */
import {
  MemorySeenIds,
  nostrPublicKey,
  PrivateInbox,
  type PrivateKind,
  type PrivateMessage,
  RelayPool,
  sendPrivate,
} from "../../../src/nostr/mod.ts";
import { parsePublicKey } from "../../../src/nostr/nostr.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import {
  type Answer,
  buildRequest,
  readAnswer,
  type Request,
} from "../../../provisioning/wire/mod.ts";

/** See the head of this file. */
export class OldClient implements AsyncDisposable {
  readonly publicKey: string;
  readonly #secretKey: Uint8Array;
  readonly #pool: RelayPool;
  readonly #inbox: PrivateInbox;
  readonly #waiting = new Set<(message: PrivateMessage) => void>();
  /** All that came, in order. */
  readonly answers: Answer[] = [];

  constructor(relay: string, secretKey = crypto.getRandomValues(new Uint8Array(32))) {
    this.#secretKey = secretKey;
    this.publicKey = nostrPublicKey(secretKey);
    this.#pool = new RelayPool({
      relays: [relay],
      clock: systemClock,
      random: systemRandom,
      // Relays give private messages to those that they are for, who say so by NIP-42.
      authSecretKey: secretKey,
    });
    this.#inbox = PrivateInbox.open({
      pool: this.#pool,
      secretKey,
      clock: systemClock,
      seen: new MemorySeenIds(),
      onMessage: (message) => {
        const answer = readAnswer(message.text);
        if (answer !== undefined) this.answers.push(answer);
        for (const hear of this.#waiting) hear(message);
      },
    });
  }

  /** Asks a provider, and waits for the one answer that comes, or for nothing. */
  async ask(
    provider: string,
    request: Request,
    options: { readonly kind?: PrivateKind; readonly withinMs?: number } = {},
  ): Promise<Answer> {
    const { kind = "nip17", withinMs = 60_000 } = options;
    const recipient = parsePublicKey(provider)!;
    const answered = Promise.withResolvers<Answer>();
    const hear = (message: PrivateMessage) => {
      if (message.sender !== recipient) return;
      const answer = readAnswer(message.text);
      if (answer === undefined) return;
      const isOther = request.requestId !== undefined && answer.requestId !== request.requestId;
      if (isOther) return;
      answered.resolve(answer);
    };
    this.#waiting.add(hear);
    const timer = setTimeout(
      () =>
        answered.reject(new Error(`no answer came to ${request.type} ${request.requestId ?? ""}`)),
      withinMs,
    );
    try {
      const { report } = await sendPrivate(
        { kind, recipient, text: buildRequest(request) },
        {
          pool: this.#pool,
          secretKey: this.#secretKey,
          clock: systemClock,
          random: systemRandom,
        },
      );
      if (report.acceptedCount === 0) throw new Error("no relay took the request");
      return await answered.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(hear);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inbox[Symbol.asyncDispose]();
    await this.#pool[Symbol.asyncDispose]();
  }
}
