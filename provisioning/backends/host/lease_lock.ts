/** One hand on a lease at a time, across processes: the provider's and the watchdog's. */

const LOCKS = 1024;

/**
 * Runs `work` while nobody else works on the same lease, programs of a process that died included.
 *
 * @param work Is given the file that guards the programs that it runs.
 * @param options.isRecordOnly It runs none and touches nothing but the record and labels, so that programs
 * which still run, as the start of an image's own command, are not waited for.
 */
export async function withLease<T>(
  folder: string,
  leaseId: string,
  work: (guard: string) => Promise<T>,
  options: { readonly isRecordOnly?: boolean } = {},
): Promise<T> {
  const number = Number(leaseId.replace(/\D/g, "").slice(-9)) % LOCKS;
  // The files stay: one that is removed while somebody waits for it locks nothing.
  using file = await open(`${folder}/${number}`);
  await file.lock(true);
  const guard = `${folder}/${number}.programs`;
  if (options.isRecordOnly !== true) {
    using programs = await open(guard);
    await programs.lock(true);
  }
  return await work(guard);
}

async function open(path: string): Promise<Deno.FsFile> {
  return await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
}
