/** Limits of leases on Proxmox VE, each with the reason for its size. */

/** One call of the interface: it answers at once, work goes on as a task. */
export const CALL_MS_MAX = 20_000;

/** An answer: the list of a full node has some hundred kilobytes. */
export const ANSWER_BYTES_MAX: number = 8 * 1024 * 1024;

/** One task, unpacking a template of gigabytes included. */
export const TASK_MS_MAX = 600_000;

/** Packing an image of gigabytes. */
export const PACK_MS_MAX = 1_800_000;

/** An upload of a template of gigabytes. */
export const UPLOAD_MS_MAX = 1_800_000;

/** Between two looks at a task. */
export const POLL_MS = 500;

/** Tries to make a container whose number somebody else took meanwhile. */
export const NUMBER_TRIES_MAX = 5;

/** Tries to destroy a container that is locked by another task. */
export const DESTROY_TRIES_MAX = 20;

/** Memory of the node that is never given away, in MiB: Proxmox itself, its caches. */
export const MEMORY_RESERVE_MB = 1024;

/** Part of the free disk that is never given away. */
export const DISK_RESERVE = 0.1;

/** Bytes on their way in each direction of a connection. */
export const BUFFER_BYTES: number = 64 * 1024;

/** Open connections to one published port. */
export const CONNECTIONS_MAX = 256;

/** How long a container may take to accept a connection that is passed on. */
export const CONNECT_MS_MAX = 10_000;

/** Containers that are asked for their configuration at a time. */
export const CONFIG_PARALLEL = 8;
