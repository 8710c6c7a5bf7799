/** Methods about container images. */
import { SeedmintError } from "../../../core/errors.ts";
import type { ImageDesk } from "../images.ts";
import type { Handler, NodeParts } from "../parts.ts";

/** Every image that is here. */
export const listImages: Handler<"image.list"> = async (parts) => ({
  images: (await deskOf(parts)).list(),
});

/** Brings an image in. */
export const pullImage: Handler<"image.pull"> = async (parts, params, context) =>
  await (await deskOf(parts)).pull(params, context);

/** Sends an image, or an OCI layout, to a registry. */
export const pushImage: Handler<"image.push"> = async (parts, params, context) =>
  await (await deskOf(parts)).push(params, context);

/** Forgets images. */
export const removeImages: Handler<"image.remove"> = async (parts, { images }) =>
  await (await deskOf(parts)).remove(images);

/** Writes an image as an OCI layout. */
export const exportImage: Handler<"image.export"> = async (parts, params, { signal, emit }) =>
  await (await deskOf(parts)).export(params, {
    signal,
    emit: (event) => event.event === "progress" && emit(event),
  });

/** Lets others have an image. */
export const announceImage: Handler<"image.announce"> = async (parts, params, { signal, emit }) =>
  await (await deskOf(parts)).announce(params, {
    signal,
    emit: (event) => event.event === "note" && emit(event),
  });

/** Makes an image by which a client shows whom it asks. */
export const probeImage: Handler<"image.probe"> = async (parts, { architecture }) =>
  await (await deskOf(parts)).probe(architecture);

async function deskOf(parts: NodeParts): Promise<ImageDesk> {
  if (parts.images !== undefined) return await parts.images.open();
  throw new SeedmintError("unavailable", "Cannot look at images: this node keeps none");
}
