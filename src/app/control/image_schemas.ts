/** Strict schemas of the parameters of the methods about images. */
import type { ImageMethods } from "../api/image_methods.ts";
import { v } from "../schema.ts";

/** Longest name of an image: registry, repository, tag and digest at their longest. */
const NAME_CHARS_MAX = 800;
/** Longest path of a file. */
const PATH_CHARS_MAX = 4096;
/** Most images that one request removes. */
const IMAGES_MAX = 1000;
/** Most platforms of one pull; the largest indexes have about twenty. */
const PLATFORMS_MAX = 32;

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_CHARS_MAX));
const path = v.pipe(
  v.string(),
  v.maxLength(PATH_CHARS_MAX),
  v.regex(/^\/[^\0]*$/, "an absolute path wanted"),
);
const platform = v.pipe(
  v.string(),
  v.regex(
    /^(?:all|[a-z0-9]{1,32}\/[a-z0-9_]{1,32}(?:\/[a-z0-9.]{1,32})?)$/,
    "a platform such as linux/arm64, or all, wanted",
  ),
);

/** By name of the method. */
export const IMAGE_SCHEMAS: Readonly<Record<keyof ImageMethods, v.GenericSchema>> = {
  "image.list": v.strictObject({}),
  "image.pull": v.strictObject({
    image: name,
    platforms: v.pipe(v.array(platform), v.maxLength(PLATFORMS_MAX)),
    visibility: v.optional(v.picklist(["public", "fleet", "private"])),
  }),
  "image.push": v.strictObject({ from: v.union([name, path]), to: name }),
  "image.remove": v.strictObject({
    images: v.pipe(v.array(name), v.minLength(1), v.maxLength(IMAGES_MAX)),
  }),
  "image.export": v.strictObject({ image: name, output: path, overwrite: v.boolean() }),
  "image.announce": v.strictObject({ image: name, visibility: v.picklist(["public", "fleet"]) }),
  "image.probe": v.strictObject({
    architecture: v.pipe(v.string(), v.regex(/^[a-z0-9_]{1,32}$/)),
  }),
};
