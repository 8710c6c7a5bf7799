/** The archive by which a version travels: tar, with names of any length as GNU tar has them. */
import { TAR_END, tarHeader, tarPadding } from "../../../swarm/registry/images/tar_write.ts";

/** What of a file is needed. */
export interface ArchivedFile {
  readonly path: string;
  readonly bytes: number;
  readonly open: () => Promise<Uint8Array<ArrayBuffer>>;
}

/** Bytes of a name in a header. */
const NAME_BYTES = 100;

/** The archive, a file at a time. @throws {RangeError} If a file is not as long as it was. */
export async function* archiveOf(
  files: readonly ArchivedFile[],
): AsyncIterable<Uint8Array<ArrayBuffer>> {
  for (const { path, bytes, open } of files) {
    const name = new TextEncoder().encode(path);
    const content = await open();
    if (content.length !== bytes) throw new RangeError(`${path} changed while it was read`);
    if (name.length > NAME_BYTES) {
      yield longNameHeader(name.length + 1);
      yield new Uint8Array([...name, 0]);
      yield tarPadding(name.length + 1);
    }
    const short = name.length > NAME_BYTES ? `long-name-${name.length}` : path;
    yield tarHeader(short, bytes);
    yield content;
    yield tarPadding(bytes);
  }
  yield TAR_END;
}

/** The header of an entry that says the name of the next. */
function longNameHeader(size: number): Uint8Array<ArrayBuffer> {
  const header = tarHeader("././@LongLink", size);
  header[156] = "L".charCodeAt(0);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return header;
}
