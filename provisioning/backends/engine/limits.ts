/** Limits of talking to engines, each with the reason for its size. */

/** One call: making or starting a container takes a second, under load several. */
export const CALL_MS_MAX = 60_000;

/** Asking for a state: what takes longer does not answer. */
export const LOOK_MS_MAX = 10_000;

/** An answer: a thousand containers with their labels have two megabytes. */
export const ANSWER_BYTES_MAX: number = 16 * 1024 * 1024;

/** Of an engine's own words in an error. */
export const WORDS_CHARS_MAX = 300;

/** Between two looks at something that is about to happen. */
export const WAIT_MS = 30;

/** Looks before it is said that a container cannot be ended. */
export const END_TRIES_MAX = 400;
