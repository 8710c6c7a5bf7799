/** What a process takes of the cores: on a busy machine a steadier figure than how long it takes. */

/** Clock ticks in a second, as Linux counts for programs on all its platforms. */
const TICKS_PER_SECOND = 100;

/** CPU-seconds of a process, all its threads and the kernel on its behalf; NaN where none can tell. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
