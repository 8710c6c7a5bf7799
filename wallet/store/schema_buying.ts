/** The tables of buying: part of the migration to version 3. */

/** What is run after the tables of selling are made. */
export const BUYING_SCHEMA = "";

/** Tables of {@link BUYING_SCHEMA}, in an order that foreign keys allow: a backup holds them. */
export const BUYING_TABLES: readonly string[] = [];
