/** Limits of backup files. */

/** Largest backup read: it is decrypted in memory. A million redeemed proofs are about 400 MiB. */
export const BACKUP_BYTES_MAX = 1024 * 1024 * 1024;

/** Largest database inside one. */
export const DATABASE_BYTES_MAX = 2 * 1024 * 1024 * 1024 - 1;
