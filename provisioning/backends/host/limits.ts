/** Limits of leases on this machine, each with the reason for its size. */

/** Processes and threads of one lease: a Java build has hundreds; a fork bomb stops here. */
export const PIDS_MAX = 1024;

/** Open files of one process, as far as our own limit lets us give them. */
export const OPEN_FILES_MAX = 16_384;

/** Terminals of one lease: more than people who log in need, and few of the host's. */
export const TERMINALS_MAX = 256;

/** Bytes of shared memory below `/dev/shm`; they count as memory, too. */
export const SHARED_MEMORY_BYTES: number = 64 * 1024 * 1024;

/** New connections a second, each way: a browser's burst fits, a flood does not. */
export const NEW_CONNECTIONS_PER_S = 100;

/** New connections at once on top of the rate. */
export const NEW_CONNECTIONS_BURST = 200;

/** Open connections, each way, so that one lease cannot fill the host's table of 65 536. */
export const CONNECTIONS_MAX = 2048;

/** Bytes a second, each way, unless the provider says otherwise: 100 Mbit/s. */
export const BANDWIDTH_BYTES_PER_S = 12_500_000;

/** Output of one command in a lease, each stream: what fits an encrypted message with room to spare. */
export const EXEC_OUTPUT_BYTES_MAX: number = 64 * 1024;

/** The end of a log that is read for its last lines. */
export const LOG_TAIL_BYTES: number = 256 * 1024;

/** Lines of a log at once. */
export const LOG_LINES_MAX = 2000;

/** Checking the file system of a lease after a power cut: a second for ten GiB, more on a slow disk. */
export const CHECK_MS_MAX = 300_000;

/**
 * Exit codes of e2fsck that say that something is still wrong: errors were left (4, perhaps beside those
 * that were corrected, 1 and 2), or it could make nothing of the disk (8): e2fsck(8). All below are fine.
 */
export const CHECK_FAILED_CODES: readonly [number, ...number[]] = [4, 5, 6, 7, 8, 12, 13, 14, 15];

/** Between two tries to take a file system down that is busy. */
export const UNMOUNT_RETRY_MS = 50;

/** Tries before a busy file system is detached and left to go by itself. */
export const UNMOUNT_TRIES_MAX = 20;

/** Between two tries to end a lease's processes. */
export const KILL_RETRY_MS = 30;

/** Tries to remove a container before it is said that it cannot be removed. */
export const DELETE_TRIES_MAX = 100;

/** Memory of the machine that is never given away, in MiB: the kernel, the node, the runtime. */
export const MEMORY_RESERVE_MB = 512;

/** Part of the free disk that is never given away. */
export const DISK_RESERVE = 0.1;

/** Between two looks of the watchdog: a lease ends within 5 s of its time. */
export const WATCHDOG_INTERVAL_MS = 1_000;

/** How long after a lease's end the watchdog leaves it to the provider. */
export const WATCHDOG_GRACE_MS = 2_000;

/**
 * How long a watchdog that is told to go may end what it does, and then how long the system may take to
 * end it by force: it may be in the midst of destroying a lease, which can be done again.
 */
export const WATCHDOG_STOP_MS_MAX = 10_000;

/** A record of a lease has about a kilobyte; a file of more is none of ours. */
export const RECORD_BYTES_MAX: number = 64 * 1024;

/** Between two tries to become the watchdog. */
export const LOCK_RETRY_MS = 50;

/** Tries to become the watchdog before it is believed that there is one. */
export const LOCK_TRIES_MAX = 5;

/** Between two looks whether a packet came through this host: it takes no millisecond, on a busy one some. */
export const PROBE_LOOK_MS = 10;

/** Packets that are sent each way before it is left open whether this host forwards. */
export const PROBE_LOOKS_MAX = 20;

/** How long our SSH server may take to answer until its image's command is tried anew, in ms. */
export const COMMAND_WITHIN_MS = 60_000;
