/** Requests that must not be lost on their way, and the answers that came. */
import type { SqliteConnection, SqlRow } from "../../../src/sqlite/mod.ts";
import type { Request } from "../../wire/mod.ts";

/** One request as a message. */
export interface BookedLetter {
  readonly provider: string;
  readonly requestId: string;
  readonly fingerprint: string;
  readonly type: Request["type"];
  /** `container-<n>`, if it is about one. */
  readonly lease?: string;
  readonly isOurs: boolean;
  /** The signed event as JSON. */
  readonly event?: string;
  /** When it was first sent, in seconds since 1970. */
  readonly sentS: number;
  /** As it came. Secret. */
  readonly answer?: string;
  /** Whether an answer is waited for, or could still come. */
  readonly isOpen: boolean;
  readonly createdMs: number;
}

/** The table `letters`. */
export class LetterTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  get(provider: string, requestId: string): BookedLetter | undefined {
    const row = this.#database.get(
      "SELECT * FROM letters WHERE provider = ? AND request_id = ?",
      provider,
      requestId,
    );
    return row && letterIn(row);
  }

  /** Letters to a provider whose answer could still come, oldest first. */
  openTo(provider: string): BookedLetter[] {
    return this.#database.all(
      "SELECT * FROM letters WHERE provider = ? AND is_open = 1 ORDER BY created_ms, rowid",
      provider,
    ).map(letterIn);
  }

  /** Whether anything was ever asked of a provider. */
  knows(provider: string): boolean {
    return this.#database.get("SELECT 1 FROM letters WHERE provider = ? LIMIT 1", provider) !==
      undefined;
  }

  add(letter: Omit<BookedLetter, "event" | "answer" | "isOpen">): void {
    this.#database.run(
      `INSERT INTO letters (provider, request_id, fingerprint, type, lease, is_ours, sent_s, is_open,
        created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)`,
      letter.provider,
      letter.requestId,
      letter.fingerprint,
      letter.type,
      letter.lease ?? null,
      letter.isOurs ? 1 : 0,
      letter.sentS,
      letter.createdMs,
    );
  }

  /** Keeps the event that it became. */
  seal(letter: Pick<BookedLetter, "provider" | "requestId">, event: string): void {
    this.#database.run(
      "UPDATE letters SET event = ? WHERE provider = ? AND request_id = ?",
      event,
      letter.provider,
      letter.requestId,
    );
  }

  /** Keeps an answer; with `isFinal` no other is waited for. */
  answer(
    letter: Pick<BookedLetter, "provider" | "requestId">,
    answer: string,
    options: { readonly isFinal: boolean },
  ): void {
    this.#database.run(
      "UPDATE letters SET answer = ?, is_open = ? WHERE provider = ? AND request_id = ?",
      answer,
      options.isFinal ? 0 : 1,
      letter.provider,
      letter.requestId,
    );
  }

  /** No answer is waited for any more, and none of old is kept. */
  close(provider: string, requestId: string): void {
    this.#database.run(
      "UPDATE letters SET is_open = 0, event = NULL WHERE provider = ? AND request_id = ?",
      provider,
      requestId,
    );
  }

  prune(beforeMs: number): void {
    this.#database.run("DELETE FROM letters WHERE is_open = 0 AND created_ms < ?", beforeMs);
  }
}

function letterIn(row: SqlRow): BookedLetter {
  return {
    provider: row.provider as string,
    requestId: row.request_id as string,
    fingerprint: row.fingerprint as string,
    type: row.type as Request["type"],
    isOurs: row.is_ours === 1,
    sentS: row.sent_s as number,
    isOpen: row.is_open === 1,
    createdMs: row.created_ms as number,
    ...(row.lease === null ? {} : { lease: row.lease as string }),
    ...(row.event === null ? {} : { event: row.event as string }),
    ...(row.answer === null ? {} : { answer: row.answer as string }),
  };
}
