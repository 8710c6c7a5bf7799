/**
 * What can be asked of a node about container images: those that are here, by name, and where they
 * come from and go. Parameters and results are plain JSON.
 */
import type { Hash } from "../../core/hash.ts";
import type { NoteEvent, ProgressEvent } from "./methods.ts";

/** An image that is here, whole or in part. */
export interface ImageView {
  /** As it was pulled or pushed: `docker.io/library/nginx:1.27`. */
  readonly name: string;
  /** `sha256:` and 64 hex digits, of its index or manifest. */
  readonly digest: string;
  /** Its collection, by which the swarm moves it; null before it has one. */
  readonly hash: Hash | null;
  /** `linux/amd64`, and so on: those that are here. */
  readonly platforms: readonly string[];
  /** Bytes of manifests, configs and layers. */
  readonly size: number;
  readonly visibility: "public" | "fleet" | "private";
  readonly usedMs: number;
}

/** What came of a pull. */
export interface PulledImage extends ImageView {
  readonly ms: number;
  /** Whether the registry could not be asked, and the tag is the last known. */
  readonly stale: boolean;
  /** Bytes that were brought in for this pull, by where they came from. */
  readonly sources: readonly {
    readonly kind: "peer" | "origin";
    readonly id: string;
    readonly bytes: number;
  }[];
}

/** `image.pull` */
export interface PullParams {
  readonly image: string;
  /** `linux/arm64`; empty: that of this machine; `all` alone: every one. */
  readonly platforms: readonly string[];
  /** @default {as the settings say} */
  readonly visibility?: "public" | "fleet" | "private";
}

/** What the mirror and the push registry of a node did, in `status`. */
export interface RegistrySummary {
  /** Where clients pull; null when nothing listens. */
  readonly mirrorUrl: string | null;
  /** Where clients push; null when nothing listens. */
  readonly pushUrl: string | null;
  readonly imageCount: number;
  /** Requests that the mirror answered since the start, and when the last one came. */
  readonly requestCount: number;
  readonly lastRequestMs: number | null;
  /** Bytes that clients were sent. */
  readonly sentBytes: number;
  /** Registries that were asked and what they said of their limits. */
  readonly upstreams: readonly {
    readonly registry: string;
    /** Requests that may still be made, where it tells. */
    readonly remaining: number | null;
    /** Why it is not asked at the moment. */
    readonly problem: string | null;
  }[];
}

/** An image that only one node has, by which a client shows whom it asks. */
export interface ProbeImage {
  /** Name below any registry: `seedmint/probe`. */
  readonly repository: string;
  readonly digest: string;
}

/** Every method: parameters, events, result. */
export interface ImageMethods {
  "image.list": {
    params: Record<never, never>;
    event: never;
    result: { readonly images: readonly ImageView[] };
  };
  "image.pull": { params: PullParams; event: ProgressEvent | NoteEvent; result: PulledImage };
  "image.push": {
    params: {
      /** An image that is here, or the absolute path of an OCI layout: a directory or a tar. */
      readonly from: string;
      /** With its registry and tag. */
      readonly to: string;
    };
    event: ProgressEvent | NoteEvent;
    result: { readonly name: string; readonly digest: string; readonly sentBytes: number };
  };
  "image.remove": {
    params: { readonly images: readonly string[] };
    event: never;
    result: { readonly images: readonly { readonly name: string; readonly digest: string }[] };
  };
  "image.export": {
    params: { readonly image: string; readonly output: string; readonly overwrite: boolean };
    event: ProgressEvent;
    result: { readonly digest: string; readonly size: number; readonly path: string };
  };
  "image.announce": {
    params: { readonly image: string; readonly visibility: "public" | "fleet" };
    event: NoteEvent;
    result: ImageView;
  };
  "image.probe": {
    /** As containers name it: `amd64`, `arm64`. */
    params: { readonly architecture: string };
    event: never;
    result: ProbeImage;
  };
}
