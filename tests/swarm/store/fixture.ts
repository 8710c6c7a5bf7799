/** Opening stores on disk in tests. */
import { systemClock } from "../../../src/host/system.ts";
import { FileBlobStore, type FileBlobStoreOptions } from "../../../swarm/store/mod.ts";

/** A directory that is removed with everything in it. */
export class TemporaryDirectory implements Disposable {
  readonly path: string = Deno.makeTempDirSync();

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Opens a store that works on the calling thread unless told otherwise. */
export function openStore(
  directory: string,
  options: Partial<FileBlobStoreOptions> = {},
): Promise<FileBlobStore> {
  return FileBlobStore.open({ directory, clock: systemClock, workerCount: 0, ...options });
}

/** Every file below `directory`, relative and sorted. */
export function filesBelow(directory: string, prefix = ""): string[] {
  return [...Deno.readDirSync(directory)].flatMap((entry) => {
    const name = `${prefix}${entry.name}`;
    return entry.isDirectory ? filesBelow(`${directory}/${entry.name}`, `${name}/`) : [name];
  }).sort();
}

/** Changes one byte of a file. */
export function flipByte(path: string, offset: number): void {
  using file = Deno.openSync(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  file.seekSync(offset, Deno.SeekMode.Start);
  file.readSync(byte);
  byte[0]! ^= 1;
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(byte);
}
