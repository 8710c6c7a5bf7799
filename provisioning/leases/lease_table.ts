/** Leases on disk, and what they hold of the machine. */
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import type { PublishedPort, Resources } from "../ports.ts";
import type { WantedPort } from "../wire/mod.ts";
import { fits, leftOf, pickPorts, type PortRange } from "./capacity.ts";
import { holdsCapacity, isOver, type Lease, type LeaseState, type LeaseTerms } from "./lease.ts";
import { LEASE_LIMITS } from "./limits.ts";
import { countIn, jsonIn, textIn, textOrNone } from "./rows.ts";
import { type LeaseEvent, transition } from "./transition.ts";

/** What a lease begins with. */
export interface LeaseDraft {
  readonly owner: string;
  /** All terms but the ports, which are given out now. */
  readonly terms: Omit<LeaseTerms, "sshPort" | "ports">;
  readonly wantedPorts: readonly WantedPort[];
}

/** What became of a reservation. */
export type Reservation =
  | { readonly status: "reserved"; readonly lease: Lease }
  | { readonly status: "no-room" }
  | { readonly status: "no-ports" };

/** One thing that happened to a lease. */
export interface StoryEntry {
  readonly atMs: number;
  readonly event: string;
  /** The state afterwards. */
  readonly state: LeaseState;
  readonly detail?: string;
}

/** Events that are too frequent to be told, or tell nothing. */
const UNTOLD: ReadonlySet<string> = new Set(["try", "seen", "stood", "shift"]);

/** The tables `leases`, `ports` and `story`. */
export class LeaseTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  /** Gives a new lease its number, its share of `total` and its ports, or nothing at all. */
  reserve(
    draft: LeaseDraft,
    options: { readonly total: Resources; readonly range: PortRange; readonly nowMs: number },
  ): Reservation {
    return this.#database.transaction(() => {
      if (!fits(draft.terms.spec, leftOf(options.total, this.taken()))) {
        return { status: "no-room" };
      }
      const picked = pickPorts(options.range, {
        count: 1 + draft.wantedPorts.length,
        isTaken: (port) => this.#isPortTaken(port),
        lastGiven: this.#lastPort(),
      });
      if (picked === undefined) return { status: "no-ports" };
      const [sshPort, ...hostPorts] = picked;
      const ports: PublishedPort[] = draft.wantedPorts.map((port, index) => ({
        ...port,
        hostPort: hostPorts[index]!,
      }));
      const lease = this.#insert(
        { ...draft.terms, sshPort: sshPort!, ports },
        draft.owner,
        options,
      );
      for (const port of picked) {
        this.#database.run("INSERT INTO ports (port, lease) VALUES (?, ?)", port, lease.number);
      }
      this.#database.run(
        "INSERT OR REPLACE INTO facts (name, value) VALUES ('last-port', ?)",
        String(picked.at(-1)),
      );
      this.#tell(lease, "reserve", undefined, options.nowMs);
      return { status: "reserved", lease };
    });
  }

  /** What all leases together hold. */
  taken(): Resources {
    const row = this.#database.get(
      `SELECT coalesce(sum(cpu_millicores), 0) AS cpu, coalesce(sum(memory_mb), 0) AS memory,
        coalesce(sum(disk_mb), 0) AS disk FROM leases WHERE holds = 1`,
    )!;
    return {
      cpuMillicores: countIn(row, "cpu"),
      memoryMb: countIn(row, "memory"),
      diskMb: countIn(row, "disk"),
    };
  }

  /** Ports in use. */
  portCount(): number {
    return countIn(this.#database.get("SELECT count(*) AS count FROM ports")!, "count");
  }

  get(number: number): Lease | undefined {
    const row = this.#database.get("SELECT * FROM leases WHERE number = ?", number);
    return row && leaseIn(row);
  }

  /** Leases that something will still happen to, oldest first. */
  open(): Lease[] {
    return this.#database.all("SELECT * FROM leases WHERE is_open = 1 ORDER BY number").map(
      leaseIn,
    );
  }

  /** Leases of one owner, newest first. */
  ofOwner(owner: string, options: { readonly countMax: number }): Lease[] {
    return this.#database.all(
      "SELECT * FROM leases WHERE owner = ? ORDER BY number DESC LIMIT ?",
      owner,
      options.countMax,
    ).map(leaseIn);
  }

  /** Leases of anybody, newest first. */
  newest(options: { readonly countMax: number }): Lease[] {
    return this.#database.all(
      "SELECT * FROM leases ORDER BY number DESC LIMIT ?",
      options.countMax,
    ).map(leaseIn);
  }

  /** How many leases something will still happen to. */
  openCount(): number {
    return countIn(
      this.#database.get("SELECT count(*) AS count FROM leases WHERE is_open = 1")!,
      "count",
    );
  }

  /** How many leases of `owner` hold capacity; those that only wait for a refund do not. */
  heldCount(owner: string): number {
    return countIn(
      this.#database.get(
        "SELECT count(*) AS count FROM leases WHERE holds = 1 AND owner = ?",
        owner,
      )!,
      "count",
    );
  }

  countIn(state: LeaseState): number {
    return countIn(
      this.#database.get("SELECT count(*) AS count FROM leases WHERE state = ?", state)!,
      "count",
    );
  }

  /**
   * Lets something happen to a lease, as it is on disk, and what goes with it in the same transaction.
   *
   * @returns The lease afterwards, or undefined if it cannot happen to it any more; then nothing did.
   */
  apply(
    number: number,
    event: LeaseEvent,
    options: { readonly nowMs: number; readonly also?: (lease: Lease) => void },
  ): Lease | undefined {
    return this.#database.transaction(() => {
      const before = this.get(number);
      const after = before && transition(before, event, options.nowMs);
      if (after === undefined) return undefined;
      this.#write(after);
      if (!holdsCapacity(after)) {
        this.#database.run("DELETE FROM ports WHERE lease = ?", number);
      }
      if (!UNTOLD.has(event.type)) this.#tell(after, event.type, detailOf(event), options.nowMs);
      options.also?.(after);
      return after;
    });
  }

  /** What happened to a lease, in order. */
  story(number: number): StoryEntry[] {
    return this.#database.all("SELECT * FROM story WHERE lease = ? ORDER BY serial", number)
      .map((row) => {
        const detail = textOrNone(row, "detail");
        return {
          atMs: countIn(row, "at_ms"),
          event: textIn(row, "event"),
          state: textIn(row, "state") as LeaseState,
          ...(detail === undefined ? {} : { detail }),
        };
      });
  }

  /** Notes something that is no change of the lease itself. */
  note(
    number: number,
    event: string,
    options: { readonly nowMs: number; readonly detail?: string },
  ) {
    const lease = this.get(number);
    if (lease !== undefined) this.#tell(lease, event, options.detail, options.nowMs);
  }

  /** Forgets leases that ended before `beforeMs`. */
  prune(beforeMs: number): void {
    this.#database.run("DELETE FROM leases WHERE is_open = 0 AND changed_ms < ?", beforeMs);
  }

  #insert(terms: LeaseTerms, owner: string, { nowMs }: { readonly nowMs: number }): Lease {
    const { spec } = terms;
    const row = this.#database.get(
      `INSERT INTO leases (owner, state, holds, is_open, cpu_millicores, memory_mb, disk_mb,
        created_ms, changed_ms, record) VALUES (?, 'reserved', 1, 1, ?, ?, ?, ?, ?, '{}')
        RETURNING number`,
      owner,
      spec.cpuMillicores,
      spec.memoryMb,
      spec.diskMb,
      nowMs,
      nowMs,
    )!;
    const lease: Lease = {
      number: countIn(row, "number"),
      owner,
      state: "reserved",
      createdMs: nowMs,
      changedMs: nowMs,
      terms,
      creditMsat: 0,
      spentMsat: 0,
      revivalCount: 0,
      mayExist: false,
      isPaused: false,
    };
    this.#write(lease);
    return lease;
  }

  #write(lease: Lease): void {
    this.#database.run(
      "UPDATE leases SET state = ?, holds = ?, is_open = ?, changed_ms = ?, record = ? WHERE number = ?",
      lease.state,
      holdsCapacity(lease) ? 1 : 0,
      isOver(lease) ? 0 : 1,
      lease.changedMs,
      JSON.stringify(lease),
      lease.number,
    );
  }

  #tell(lease: Lease, event: string, detail: string | undefined, nowMs: number): void {
    const { count } = this.#database.get(
      "SELECT count(*) AS count FROM story WHERE lease = ?",
      lease.number,
    ) as { count: number };
    if (count >= LEASE_LIMITS.storyMax && !isOver(lease)) return;
    this.#database.run(
      "INSERT INTO story (lease, at_ms, event, state, detail) VALUES (?, ?, ?, ?, ?)",
      lease.number,
      nowMs,
      event,
      lease.state,
      detail ?? null,
    );
  }

  #isPortTaken(port: number): boolean {
    return this.#database.get("SELECT 1 FROM ports WHERE port = ?", port) !== undefined;
  }

  #lastPort(): number {
    const row = this.#database.get("SELECT value FROM facts WHERE name = 'last-port'");
    return row === undefined ? 0 : Number(textIn(row, "value"));
  }
}

function leaseIn(row: SqlRow): Lease {
  return jsonIn<Lease>(row, "record");
}

/** What people want to know of an event; never a token. */
function detailOf(event: LeaseEvent): string | undefined {
  switch (event.type) {
    case "end":
      return `${event.reason}: ${event.message}`;
    case "fail":
      return `${event.error}: ${event.message}`;
    case "redeemed":
    case "topped-up":
    case "paid-late":
      return `${event.amountMsat} msat`;
    case "pulled":
      return event.digest;
    case "settled":
      return event.refund.status === "refunded"
        ? `${event.refund.amountSat} sat paid back`
        : event.refund.status;
    default:
      return undefined;
  }
}
