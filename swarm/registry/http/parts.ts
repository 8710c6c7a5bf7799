/** What the parts of the HTTP side share. */
import type { Clock } from "../../../src/core/ports.ts";
import type { Sha256 } from "../../../src/core/hash.ts";
import type { Refusal } from "../../http/refusal.ts";
import type { ReplyHeaders } from "../../http/message.ts";
import type { BlobRecord, BlobStore } from "../../store/blob_store.ts";
import type { AskOptions, BlobDelivery, RegistryReader, RegistryWriter } from "../ports.ts";
import type { Named } from "./naming.ts";

/** Finds the bytes of an image that is named by its SHA-256 alone. */
export type FindImage = (
  sha256: Sha256,
  options: AskOptions & { readonly isHead: boolean },
) => Promise<BlobDelivery | undefined>;

/** Whether a blob that is not public may be given to whoever knows its SHA-256. */
export type IsOpenImage = (sha256: Sha256, record: BlobRecord) => boolean;

/** See the head of this file. */
export interface RegistryParts {
  readonly store: BlobStore;
  readonly reader: RegistryReader;
  readonly clock: Clock;
  readonly writer?: RegistryWriter;
  readonly findImage?: FindImage;
  readonly isOpenImage?: IsOpenImage;
  readonly isMirror: boolean;
  /** Answers that send content now. */
  sending: number;
  /** Bodies of manifests that are being read now. */
  manifestBodies: number;
}

/** Headers that say for which registry an answer is. */
export function namespaceHeaders({ namespace }: Named): ReplyHeaders {
  return namespace === undefined ? [] : [["OCI-Namespace", namespace]];
}

/** What to throw instead of undefined. */
export function found<T>(value: T | undefined, refusal: () => Refusal): T {
  if (value === undefined) throw refusal();
  return value;
}
