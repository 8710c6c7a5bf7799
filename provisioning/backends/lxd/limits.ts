/** Limits of talking to LXD and Incus, each with the reason for its size. */

/** An operation of theirs, in seconds: starting an instance under load takes several. */
export const OPERATION_S_MAX = 60;

/** Asking for a state: what takes longer does not answer. */
export const LOOK_MS_MAX = 10_000;

/** Until the streams of a command are connected. */
export const CONNECT_MS_MAX = 10_000;

/** How long output may still arrive after a command ended. */
export const EXEC_LINGER_MS = 250;

/** Between the signal that ends a command and giving up to wait for it. */
export const KILLED_MS_MAX = 3_000;
