/** An image with nothing in it, in the form of LXD and Incus: metadata and an empty root. */

const METADATA = "architecture: x86_64\ncreation_date: 1700000000\n" +
  "properties:\n  description: An empty root for leases of seedmint\n";

/** The image, the same bytes each time, so that it has one fingerprint. */
export function emptyImage(): Uint8Array<ArrayBuffer> {
  const metadata = new TextEncoder().encode(
    METADATA.replace("x86_64", Deno.build.arch === "aarch64" ? "aarch64" : "x86_64"),
  );
  const padded = new Uint8Array(Math.ceil(metadata.length / 512) * 512);
  padded.set(metadata);
  const parts = [
    header("metadata.yaml", { size: metadata.length, type: "0", mode: 0o644 }),
    padded,
    header("rootfs/", { size: 0, type: "5", mode: 0o755 }),
    new Uint8Array(1024),
  ];
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A header as POSIX has it (ustar). */
function header(
  name: string,
  facts: { readonly size: number; readonly type: string; readonly mode: number },
): Uint8Array {
  const block = new Uint8Array(512);
  const put = (offset: number, text: string) => block.set(new TextEncoder().encode(text), offset);
  const octal = (offset: number, width: number, value: number) =>
    put(offset, `${value.toString(8).padStart(width - 1, "0")}\0`);
  put(0, name);
  octal(100, 8, facts.mode);
  octal(108, 8, 0);
  octal(116, 8, 0);
  octal(124, 12, facts.size);
  octal(136, 12, 1_700_000_000);
  put(156, facts.type);
  put(257, "ustar\0" + "00");
  put(148, "        ");
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return block;
}
