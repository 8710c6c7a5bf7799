/** How development processes end. */

const SIGNALS: readonly Deno.Signal[] = ["SIGTERM", "SIGINT"];

/** Resolves when the process is asked to stop, by SIGTERM or SIGINT. */
export async function untilStopped(): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  const stop = () => stopped.resolve();
  for (const signal of SIGNALS) Deno.addSignalListener(signal, stop);
  await stopped.promise;
  for (const signal of SIGNALS) Deno.removeSignalListener(signal, stop);
}
