/** All tables over one connection. */
import type { Clock } from "../../src/core/ports.ts";
import type { SqliteConnection } from "../../src/sqlite/mod.ts";
import { BuyingTable } from "./buying_table.ts";
import { ChannelTable } from "./channel_table.ts";
import { CountersTable } from "./counters_table.ts";
import { CreditTable } from "./credit_table.ts";
import { IncomingTable } from "./incoming_table.ts";
import { LedgerTable } from "./ledger_table.ts";
import { MintsTable, RoutesTable } from "./mints_table.ts";
import { OperationsTable } from "./operations_table.ts";
import { OutgoingTable } from "./outgoing_table.ts";
import { OutputsTable } from "./outputs_table.ts";
import { ProofsTable } from "./proofs_table.ts";
import { QuotesTable } from "./quotes_table.ts";
import { RequestsTable } from "./requests_table.ts";
import { SellingTable } from "./selling_table.ts";

/** One of each. */
export interface Tables {
  readonly database: SqliteConnection;
  readonly operations: OperationsTable;
  readonly requests: RequestsTable;
  readonly outputs: OutputsTable;
  readonly counters: CountersTable;
  readonly quotes: QuotesTable;
  readonly proofs: ProofsTable;
  readonly ledger: LedgerTable;
  readonly incoming: IncomingTable;
  readonly outgoing: OutgoingTable;
  readonly mints: MintsTable;
  readonly routes: RoutesTable;
  readonly credit: CreditTable;
  readonly selling: SellingTable;
  readonly buying: BuyingTable;
  readonly channels: ChannelTable;
}

/** The tables of `database`, whose counters are those of the seed with `seedFingerprint`. */
export function tablesOf(
  database: SqliteConnection,
  options: { readonly clock: Clock; readonly seedFingerprint: string },
): Tables {
  const credit = new CreditTable(database, options.clock);
  return {
    database,
    operations: new OperationsTable(database, options.clock),
    requests: new RequestsTable(database),
    outputs: new OutputsTable(database, options.seedFingerprint),
    counters: new CountersTable(database, options.seedFingerprint),
    quotes: new QuotesTable(database),
    proofs: new ProofsTable(database),
    ledger: new LedgerTable(database),
    incoming: new IncomingTable(database, credit),
    outgoing: new OutgoingTable(database),
    mints: new MintsTable(database),
    routes: new RoutesTable(database),
    credit,
    selling: new SellingTable(database),
    buying: new BuyingTable(database, options.clock),
    channels: new ChannelTable(database),
  };
}
