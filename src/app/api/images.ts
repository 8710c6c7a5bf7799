/** Container images as the handlers see them; `src/app/lifecycle` puts the registry behind it. */
import type {
  ImageMethods,
  ImageView,
  ProbeImage,
  PulledImage,
  PullParams,
  RegistrySummary,
} from "./image_methods.ts";
import type { NoteEvent, ProgressEvent } from "./methods.ts";

/** How long work is watched and ended. */
export interface ImageWork {
  readonly signal: AbortSignal;
  readonly emit: (event: ProgressEvent | NoteEvent) => void;
}

/** What can be done with images. Names are as people write them. */
export interface ImageDesk {
  list(): readonly ImageView[];
  /** @throws {SeedmintError} `not-found`, `denied`, `unavailable`. */
  pull(params: PullParams, work: ImageWork): Promise<PulledImage>;
  push(
    params: ImageMethods["image.push"]["params"],
    work: ImageWork,
  ): Promise<ImageMethods["image.push"]["result"]>;
  remove(images: readonly string[]): Promise<ImageMethods["image.remove"]["result"]>;
  export(
    params: ImageMethods["image.export"]["params"],
    work: ImageWork,
  ): Promise<ImageMethods["image.export"]["result"]>;
  announce(
    params: ImageMethods["image.announce"]["params"],
    work: ImageWork,
  ): Promise<ImageView>;
  /** Makes an image of a few bytes that nobody else has. */
  probe(architecture: string): Promise<ProbeImage>;
}

/** The images of a node. */
export interface ImageAccess {
  /** Of a verb that works alone, the registry is opened only when it is asked for. */
  readonly open: () => Promise<ImageDesk>;
  /** What the node's registry did so far; null while none is open. */
  readonly summary: () => RegistrySummary | null;
}
