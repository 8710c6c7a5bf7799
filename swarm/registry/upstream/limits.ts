/** Every bound and deadline of talking to an upstream registry, each with its reason. */

/** A page of tags, or an index of referrers: a registry that ignores `n` sends some thousand names. */
export const LISTING_BYTES_MAX = 4 * 1024 * 1024;

/** A token server's answer: tokens of big clouds have five kilobytes. */
export const TOKEN_ANSWER_BYTES_MAX = 64 * 1024;

/** A token has to fit a request's header, of which servers take 8 to 16 KiB in all. */
export const TOKEN_CHARS_MAX = 12 * 1024;

/** What an error's body is read up to, to free the connection for the next request. */
export const ERROR_BYTES_MAX = 16 * 1024;

/** Connecting and the head of one answer: a registry that takes longer is as good as down. */
export const HEAD_MS_MAX = 8_000;

/** A question that waited so long for an answer, in vain, shows that the registry is silent. */
export const SILENT_MS = 5_000;

/** So long a silent registry is asked nothing: the questions of one pull, some 8 s each before, pass
 * meanwhile. Blobs under way are not held up by it. */
export const SILENCE_MS = 10_000;

/** A small body that sends nothing for so long is given up. */
export const BODY_STALL_MS_MAX = 5_000;

/** One question with its tokens, redirects and second try: clients wait about 30 s for a head. */
export const ASK_MS_MAX = 20_000;

/** The head of a blob's answer, tokens and redirects included. */
export const BLOB_HEAD_MS_MAX = 20_000;

/** The pause before a question that failed on the way is asked a second time. */
export const RETRY_PAUSE_MS = 300;

/** Redirects of one request: a registry, its storage and a mirror of that take three. */
export const REDIRECT_COUNT_MAX = 5;

/** Signed URLs have up to 3,000 characters. */
export const URL_CHARS_MAX = 8 * 1024;

/** A storage URL that a blob was redirected to is used again for so long: it saves a round trip for
 * each range; clouds sign for ten minutes or more, and one that expired is asked for anew. */
export const LOCATION_MS_MAX = 60_000;

/** Challenges read from one answer; a registry that knows three schemes is rare. */
export const CHALLENGE_COUNT_MAX = 8;

/** The most characters of challenges in one answer. */
export const CHALLENGE_CHARS_MAX = 8 * 1024;

/** Scopes of one token: a repository's own and the one a blob is mounted from, with room. */
export const SCOPE_COUNT_MAX = 4;

/** Tokens kept for one registry: one for each repository in use. */
export const TOKENS_MAX = 512;

/** How long a token is good for if its server does not say (distribution specification: 60 s). */
export const TOKEN_MS_DEFAULT = 60_000;

/** The longest that a token is kept, whatever its server says. */
export const TOKEN_MS_MAX = 24 * 3_600_000;

/** A token is not used in the last part of its life: a request under way must not outlive it. */
export const TOKEN_SPARE_MS = 10_000;

/** After a refusal the same token is not asked for again so soon: it could lock the account. */
export const DENIED_MS = 30_000;

/** How long a registry that answers 429 without Retry-After is left alone. */
export const LIMITED_MS_DEFAULT = 60_000;

/** The longest that Retry-After is believed: Docker Hub's window is six hours. */
export const LIMITED_MS_MAX = 24 * 3_600_000;

/** An ETag longer than this is not used: it would only make requests long. */
export const ETAG_CHARS_MAX = 256;

/** A file with credentials: one of 500 registries has some 100 kB. */
export const AUTH_FILE_BYTES_MAX = 1024 * 1024;

/** Entries read of one file with credentials. */
export const AUTH_ENTRIES_MAX = 1_000;

/** How often files with credentials are looked at for changes, such as a `docker login`. */
export const AUTH_LOOK_MS = 10_000;

/** A credential helper that takes longer has a window open that asks somebody. */
export const HELPER_MS_MAX = 10_000;

/** What a helper may print. */
export const HELPER_BYTES_MAX = 64 * 1024;

/** How long a helper's answer is kept; tokens of clouds last an hour or more. */
export const HELPER_KEPT_MS = 5 * 60_000;

/** Registries whose helper's answer is kept. */
export const HELPER_ANSWERS_MAX = 256;

/** Tags asked for in one request when all pages are walked. */
export const TAGS_PER_PAGE = 1_000;

/** Pages walked through a listing whose registry cannot begin after a name. */
export const PAGES_MAX = 50;

/** Names taken from one listing, whatever the pages say. */
export const NAMES_MAX = 50_000;

/** Referrers taken of one manifest. */
export const REFERRERS_MAX = 2_000;

/** A blob up to this size is pushed in one request, so that no upload is left behind. */
export const MONOLITHIC_BYTES_MAX = 4 * 1024 * 1024;

/** A piece of an upload in pieces: hosts in front of registries refuse more than a few megabytes. */
export const CHUNK_BYTES = 4 * 1024 * 1024;

/** The largest piece that a registry may ask for with OCI-Chunk-Min-Length; it is held in memory. */
export const CHUNK_BYTES_MAX = 64 * 1024 * 1024;

/** A push whose connection takes no byte for so long is begun again where it stopped. */
export const PUSH_STALL_MS_MAX = 30_000;

/** One request that sends a whole blob may take so long, if it never stops. */
export const PUSH_REQUEST_MS_MAX = 12 * 3_600_000;

/** Registries hash and move a pushed blob before they answer: ten gigabytes take a minute. */
export const PUSH_FINISH_MS_MAX = 180_000;

/** Failures in a row without progress after which a push is given up. */
export const PUSH_ATTEMPTS_MAX = 4;

/** Error codes of a registry that are shown. */
export const ERROR_CODES_MAX = 4;

/** How long it is believed that a repository is open or not: as long as an authorisation counts. */
export const OPEN_KEPT_MS = 3_600_000;

/** After a question without a login that told nothing, the next one. */
export const OPEN_UNKNOWN_MS = 60_000;

/** Repositories of which it is known whether they are open. */
export const OPENNESS_MAX = 1_024;

/** A question without a login, tokens included: it must not hold up the one with it for long. */
export const PROBE_MS_MAX = 4_000;
