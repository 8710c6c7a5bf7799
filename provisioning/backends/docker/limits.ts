/** Limits of talking to docker and podman, each with the reason for its size. */

/** Asking for a state: what takes longer does not answer. */
export const LOOK_MS_MAX = 10_000;

/** Between two looks whether a command has ended whose output somebody holds open. */
export const EXEC_LOOK_MS = 400;

/** How long output may still arrive after a command ended. */
export const EXEC_LINGER_MS = 250;

/** A frame's header in a stream of both outputs. */
export const FRAME_HEADER_BYTES = 8;
