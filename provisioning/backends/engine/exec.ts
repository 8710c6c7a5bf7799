/** Commands in containers: their output held within limits, their processes ended with certainty. */

/** One stream of output, kept up to a limit; what is more is dropped. */
export class OutputLimit {
  readonly #parts: Uint8Array[] = [];
  readonly #bytesMax: number;
  #bytes = 0;
  isTruncated = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(part: Uint8Array): void {
    const kept = part.slice(0, this.#bytesMax - this.#bytes);
    if (kept.length < part.length) this.isTruncated = true;
    if (kept.length > 0) this.#parts.push(kept);
    this.#bytes += kept.length;
  }

  text(): string {
    const all = new Uint8Array(this.#bytes);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return new TextDecoder().decode(all);
  }
}

/** Ends a process if it is still one of the container whose first process is `containerPid`. */
export async function endByForce(pid: number, containerPid: number): Promise<void> {
  if (!Number.isInteger(pid) || pid <= 1) return;
  const [own, container] = await Promise.all(
    [pid, containerPid].map((each) => Deno.readLink(`/proc/${each}/ns/pid`).catch(() => undefined)),
  );
  if (own === undefined || own !== container) return;
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
