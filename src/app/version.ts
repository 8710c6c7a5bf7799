/** The version that `version`, `status` and the user agent tell. */
import manifest from "../../deno.json" with { type: "json" };

/** Semantic version of this program. */
export const VERSION: string = manifest.version;
