/** The version that `version` and `status` tell. */

/** Semantic version of this program; a test holds it to that of deno.json. */
export const VERSION = "0.1.0";
