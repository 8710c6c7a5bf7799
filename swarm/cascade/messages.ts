/** The messages of `/seedmint/cascade/1` and their strict codec; `mod.ts` specifies them. */
import type { Bytes } from "../../src/core/bytes.ts";
import { concatBytes } from "../../src/core/bytes.ts";
import { decodeCbor, encodeCbor } from "../../src/core/cbor.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { hashToBytes } from "../../src/core/hash.ts";
import { encodeVarint } from "../../src/core/varint.ts";
import { CERTIFICATE_BYTES_MAX } from "../fleet.ts";
import type { PeerAddress } from "../ports.ts";
import { FieldReader } from "../protocol/fields.ts";
import {
  ADDR_LENGTH_MAX,
  ADDRS_MAX,
  MESSAGE_BYTES_MAX,
  PARTS_MAX,
  PATH_MAX,
  PEER_ID_LENGTH_MAX,
  PEERS_MAX,
} from "./limits.ts";
import type { ContentDigest } from "./names.ts";

/** What a child says, once. */
export interface Ask {
  readonly t: "ask";
  readonly digest: ContentDigest;
  /** Bytes of the whole content. */
  readonly size: number;
  readonly part: number;
  /** Where the child goes on, counted from the beginning of the content. */
  readonly offset: number;
  /** The part that the child is to pass on to several others. */
  readonly home: number;
  /** Where the child may be reached. */
  readonly addrs: readonly string[];
  /** The parent is the nearest one above the child in the order. */
  readonly near?: true;
  /** No seat was found anywhere: any will do. */
  readonly urgent?: true;
  readonly certificate?: Bytes;
}

/** Where a parent's bytes come from. */
export interface PathFields {
  /** Its parent, that one's parent, and so on. */
  readonly path: readonly string[];
  /** Who reads upstream for it, or has everything; absent while nobody does. */
  readonly top?: string;
}

/** What a parent says, besides the bytes. */
export type ParentMessage =
  /** The bytes from the offset on follow, as they come. */
  | ({ readonly t: "feed"; readonly certificate?: Bytes } & PathFields)
  /** The parent has other parents now. */
  | ({ readonly t: "path" } & PathFields)
  /** It is here; `tip`: up to where it has the part itself, while it sends. */
  | { readonly t: "tick"; readonly tip?: number }
  /** No bytes here, or no more: these may have them. */
  | {
    readonly t: "elsewhere";
    readonly peers: readonly PeerAddress[];
    /** It has the bytes, or is getting them, and only lacks a seat. */
    readonly full?: true;
  }
  /** The part is sent. */
  | { readonly t: "end" };

/** Any of them. */
export type CascadeMessage = Ask | ParentMessage;

/** `message` with its length before it, as frames of the swarm have it. */
export function cascadeFrame(message: CascadeMessage): Bytes {
  const bytes = encodeCbor(plainOf(message));
  return concatBytes(encodeVarint(bytes.length), bytes);
}

/**
 * Decodes a message that the other side sent.
 *
 * @throws {SeedmintError} `protocol` if it is none.
 */
export function decodeCascadeMessage(bytes: Uint8Array): CascadeMessage {
  const fields = FieldReader.of(decodeCbor(bytes, { bytesMax: MESSAGE_BYTES_MAX }), "a message");
  const type = fields.oneOf("t", ["ask", "feed", "path", "tick", "elsewhere", "end"]);
  // Fields of unknown names are for later versions.
  switch (type) {
    case "ask":
      return {
        t: "ask",
        digest: fields.sha256("digest"),
        size: fields.size("size"),
        part: fields.uint("part", PARTS_MAX - 1),
        offset: fields.size("offset"),
        home: fields.uint("home", PARTS_MAX - 1),
        addrs: addrsIn(fields),
        ...fields.optional("near", (name) => fields.literalTrue(name)),
        ...fields.optional("urgent", (name) => fields.literalTrue(name)),
        ...certificateIn(fields),
      };
    case "feed":
      return { t: "feed", ...pathIn(fields), ...certificateIn(fields) };
    case "path":
      return { t: "path", ...pathIn(fields) };
    case "elsewhere":
      return {
        t: "elsewhere",
        peers: fields.list("peers", PEERS_MAX, readPeer),
        ...fields.optional("full", (name) => fields.literalTrue(name)),
      };
    case "tick":
      return { t: "tick", ...fields.optional("tip", (name) => fields.size(name)) };
    case "end":
      return { t: "end" };
    default:
      return type satisfies never;
  }
}

/** @throws {SeedmintError} `protocol` for one that a child has to say. */
export function decodeParentMessage(bytes: Uint8Array): ParentMessage {
  const message = decodeCascadeMessage(bytes);
  if (message.t === "ask") throw new SeedmintError("protocol", "A parent asks where it answers");
  return message;
}

/** @throws {SeedmintError} `protocol` for one that a parent has to say. */
export function decodeAsk(bytes: Uint8Array): Ask {
  const message = decodeCascadeMessage(bytes);
  if (message.t !== "ask") throw new SeedmintError("protocol", "A child answers where it asks");
  return message;
}

function plainOf(message: CascadeMessage): Record<string, unknown> {
  switch (message.t) {
    case "ask":
      return { ...message, digest: hashToBytes(message.digest), addrs: [...message.addrs] };
    case "elsewhere":
      return {
        ...message,
        peers: message.peers.map(({ peerId, addrs }) => ({ peer: peerId, addrs: [...addrs] })),
      };
    default:
      return { ...message };
  }
}

function readPeer(fields: FieldReader): PeerAddress {
  return { peerId: fields.text("peer", PEER_ID_LENGTH_MAX), addrs: addrsIn(fields) };
}

function addrsIn(fields: FieldReader): readonly string[] {
  return fields.texts("addrs", { countMax: ADDRS_MAX, lengthMax: ADDR_LENGTH_MAX });
}

function pathIn(fields: FieldReader): PathFields {
  return {
    path: fields.texts("path", { countMax: PATH_MAX, lengthMax: PEER_ID_LENGTH_MAX }),
    ...fields.optional("top", (name) => fields.text(name, PEER_ID_LENGTH_MAX)),
  };
}

function certificateIn(fields: FieldReader): { readonly certificate?: Bytes } {
  return fields.optional(
    "certificate",
    (name) => fields.bytesUpTo(name, CERTIFICATE_BYTES_MAX),
  );
}
