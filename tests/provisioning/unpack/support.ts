/** Images unpacked into a folder of their own, beside a file that must stay what it is. */
import assert from "node:assert/strict";
import { UnpackedImages, type UnpackOptions } from "../../../provisioning/unpack/mod.ts";
import type { Image } from "../../../provisioning/ports.ts";

/** Never aborted. */
export const signal = new AbortController().signal;
/** Only root may give files away. */
export const idOffset = Deno.uid() === 0 ? 200_000 : Deno.uid() ?? 0;
const isRoot = Deno.uid() === 0;
/** Who cannot own what a layer says cannot unpack. */
export const skip = { ignore: Deno.build.os === "windows" || !isRoot };

/** A folder of images. */
export interface World extends AsyncDisposable {
  readonly images: UnpackedImages;
  /** Where things must never change. */
  readonly outside: string;
  readonly folder: string;
  unpack(image: Image): Promise<string>;
}

/** Makes one; at its end nothing outside of it may have changed. */
export async function world(options: Partial<UnpackOptions> = {}): Promise<World> {
  const base = await Deno.makeTempDir({ prefix: "seedmint-unpack-" });
  await Deno.writeTextFile(`${base}/secret`, "untouched");
  const folder = `${base}/images`;
  const images = new UnpackedImages(folder, { idOffset, ...options });
  await images.clean();
  return {
    images,
    outside: base,
    folder,
    unpack: async (image) => {
      await images.unpack(image, { signal });
      return images.rootOf(image.digest);
    },
    async [Symbol.asyncDispose]() {
      assert.deepEqual(namesIn(base), [
        "images",
        "secret",
      ]);
      assert.equal(await Deno.readTextFile(`${base}/secret`), "untouched");
      await Deno.remove(base, { recursive: true });
    },
  };
}

/** What is in a folder, sorted. */
export function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}
