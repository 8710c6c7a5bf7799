/** One hand on a lease at a time, across processes: the provider's and the watchdog's. */

const LOCKS = 1024;

/** Runs `work` while nobody else works on the same lease. */
export async function withLease<T>(
  folder: string,
  leaseId: string,
  work: () => Promise<T>,
): Promise<T> {
  const number = Number(leaseId.replace(/\D/g, "").slice(-9)) % LOCKS;
  // The files stay: one that is removed while somebody waits for it locks nothing.
  using file = await Deno.open(`${folder}/${number}`, {
    read: true,
    write: true,
    create: true,
    mode: 0o600,
  });
  await file.lock(true);
  return await work();
}
