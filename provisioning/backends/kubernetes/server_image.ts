/** Our SSH server as an image of one layer, from which a lease's init container copies it. */
import { createHash } from "node:crypto";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Sha256 } from "../../../src/core/hash.ts";
import { isThere, mustRun } from "../../machine/mod.ts";
import type { Image } from "../../ports.ts";
import { OURS } from "./cluster_images.ts";
import { serverBundle } from "../../ssh/mod.ts";

/**
 * Makes the image below `folder`, once for each version of the server's files. It holds `/server` with a
 * static shell that copies and keeps house.
 *
 * @throws {SeedmintError} `unavailable` if the host has no dropbear or no static busybox.
 */
export async function serverImage(folder: string): Promise<Image> {
  await Deno.mkdir(folder, { recursive: true, mode: 0o711 });
  const bundle = await serverBundle(folder);
  if (!bundle.hasShell) {
    throw new SeedmintError(
      "unavailable",
      "Cannot make the image of the SSH server: busybox is not installed or not static; install busybox-static",
    );
  }
  const file = `${bundle.folder}.tar`;
  if (!await isThere(file)) {
    const part = `${file}.${crypto.randomUUID()}`;
    await mustRun([
      "tar",
      ...["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"],
      ...["--transform", "s,^[.],server,", "-C", bundle.folder, "-cf", part, "."],
    ]);
    await Deno.rename(part, file);
  }
  const bytes = await Deno.readFile(file);
  const sha256 = createHash("sha256").update(bytes).digest("hex") as Sha256;
  return {
    digest: sha256,
    name: `${OURS}ssh-server`,
    config: { env: [], entrypoint: ["/server/busybox"], cmd: ["sh"], exposedPorts: [] },
    layers: [{
      sha256,
      diffId: sha256,
      mediaType: "application/vnd.oci.image.layer.v1.tar",
      size: bytes.length,
      open: () =>
        Promise.resolve(new Blob([bytes]).stream() as ReadableStream<Uint8Array<ArrayBuffer>>),
    }],
  };
}
