/**
 * Settings: one table, four sources (flag, variable, settings file, default), errors that say where.
 *
 * Vocabulary: a *setting* has a name, a value and a *source*. May import: core, the form
 * of a mint's address and of a registry's name, valibot through `src/app/schema.ts`, smol-toml in
 * `toml.ts`.
 */
export * from "./load.ts";
export * from "./money_values.ts";
export * from "./registry_settings.ts";
export * from "./settings.ts";
export * from "./values.ts";
