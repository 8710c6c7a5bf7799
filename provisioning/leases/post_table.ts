/**
 * Private messages on their way: those that came, until they are answered, and those that go out, until
 * a relay has them. An answer and its letter change in one transaction, so each letter has one answer.
 */
import type { SqliteConnection } from "../../src/sqlite/mod.ts";
import { LEASE_LIMITS } from "./limits.ts";
import { countIn, textIn, textOrNone } from "./rows.ts";

/** How a message travels. */
export type Channel = "nip04" | "nip17";

/** A message that came. */
export interface Letter {
  readonly id: string;
  readonly sender: string;
  readonly channel: Channel;
  /** Secret. */
  readonly text: string;
  /** When it was written, in seconds since 1970, as its sender says. */
  readonly sentAtS: number;
}

/** A message that goes out. */
export interface Dispatch {
  readonly serial: number;
  readonly recipient: string;
  readonly channel: Channel;
  /** Secret. */
  readonly text: string;
  /** The signed event as JSON, once it was made: it is published as it is, however often. */
  readonly event?: string;
  readonly createdMs: number;
}

/** The tables `letters` and `outbox`. */
export class PostTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  /** @returns Whether it is new. */
  receive(letter: Letter, nowMs: number): boolean {
    return this.#database.run(
      `INSERT OR IGNORE INTO letters (id, sender, channel, text, sent_s, received_ms, is_answered)
        VALUES (?, ?, ?, ?, ?, ?, 0)`,
      letter.id,
      letter.sender,
      letter.channel,
      letter.text,
      letter.sentAtS,
      nowMs,
    ) > 0;
  }

  /** Letters without an answer, oldest first. */
  unanswered(): Letter[] {
    return this.#database.all(
      "SELECT * FROM letters WHERE is_answered = 0 ORDER BY received_ms, rowid",
    ).map((row) => ({
      id: textIn(row, "id"),
      sender: textIn(row, "sender"),
      channel: textIn(row, "channel") as Channel,
      text: textIn(row, "text"),
      sentAtS: countIn(row, "sent_s"),
    }));
  }

  /**
   * Ends a letter, with an answer or with silence.
   *
   * @returns Whether it had not ended before.
   */
  answer(letter: Letter, text: string | undefined, nowMs: number): boolean {
    return this.#database.transaction(() => {
      const changed = this.#database.run(
        "UPDATE letters SET is_answered = 1, text = '' WHERE id = ? AND is_answered = 0",
        letter.id,
      );
      if (changed > 0 && text !== undefined) {
        this.send({ recipient: letter.sender, channel: letter.channel, text }, nowMs);
      }
      return changed > 0;
    });
  }

  /** Puts a message into the outbox. */
  send(message: Pick<Dispatch, "recipient" | "channel" | "text">, nowMs: number): void {
    this.#database.run(
      "INSERT INTO outbox (recipient, channel, text, created_ms) VALUES (?, ?, ?, ?)",
      message.recipient,
      message.channel,
      message.text,
      nowMs,
    );
    this.#database.run(
      "DELETE FROM outbox WHERE serial <= (SELECT max(serial) FROM outbox) - ?",
      LEASE_LIMITS.outboxMax,
    );
  }

  /** Messages that no relay has yet, oldest first. */
  outbox(options: { readonly countMax: number; readonly afterSerial?: number }): Dispatch[] {
    return this.#database.all(
      "SELECT * FROM outbox WHERE serial > ? ORDER BY serial LIMIT ?",
      options.afterSerial ?? 0,
      options.countMax,
    ).map((row) => {
      const event = textOrNone(row, "event");
      return {
        serial: countIn(row, "serial"),
        recipient: textIn(row, "recipient"),
        channel: textIn(row, "channel") as Channel,
        text: textIn(row, "text"),
        createdMs: countIn(row, "created_ms"),
        ...(event === undefined ? {} : { event }),
      };
    });
  }

  /** Keeps the event that a message became. */
  seal(serial: number, event: string): void {
    this.#database.run("UPDATE outbox SET event = ? WHERE serial = ?", event, serial);
  }

  /** It was taken, or nobody waits for it any more. */
  remove(serial: number): void {
    this.#database.run("DELETE FROM outbox WHERE serial = ?", serial);
  }

  /** Forgets answered letters that are older than `beforeMs`, and the oldest when there are too many. */
  prune(beforeMs: number, countMax: number = LEASE_LIMITS.lettersMax): void {
    this.#database.run("DELETE FROM letters WHERE is_answered = 1 AND received_ms < ?", beforeMs);
    this.#database.run(
      `DELETE FROM letters WHERE is_answered = 1 AND rowid IN (SELECT rowid FROM letters
        ORDER BY received_ms DESC LIMIT -1 OFFSET ?)`,
      countMax,
    );
  }
}
