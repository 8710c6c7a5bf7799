/** What the cases share. */
import type { Client } from "./clients.ts";
import type { Hub } from "./hub.ts";
import type { ImageSize } from "./images.ts";
import type { Nodes } from "./nodes.ts";

/** The lab with all that runs in it for the whole time. */
export interface World {
  /** For files. */
  readonly directory: string;
  readonly hub: Hub;
  readonly nodes: Nodes;
  readonly clients: readonly Client[];
  /** Of the images that go through two nodes. */
  readonly size: ImageSize;
}
