/**
 * Who belongs to the fleet: a peer id that the operator configured, or one that the fleet's Ed25519
 * key signed a certificate for. Nothing else confers it: not mDNS, not an advert, not an address.
 *
 * A certificate is canonical CBOR `{ "v": 1, "peer": text, "expiresS": uint, "sig": bytes(64) }`;
 * the signature is over the UTF-8 bytes of `seedmint/fleet-certificate/v1`, one zero byte, and the
 * canonical CBOR of the other three fields. It is no secret: it serves only the peer it names.
 */
import { type Bytes, concatBytes, utf8 } from "../src/core/bytes.ts";
import { decodeCbor, encodeCbor } from "../src/core/cbor.ts";
import { ed25519Sign, ed25519Verify } from "../src/core/ed25519.ts";
import { isSeedmintError } from "../src/core/errors.ts";
import type { Clock } from "../src/core/ports.ts";
import type { Viewer } from "./ports.ts";

/** The most bytes of a certificate: a peer id is some 52 characters, the rest is fixed. */
export const CERTIFICATE_BYTES_MAX = 512;

/** The most characters of a peer id in a certificate. */
const PEER_ID_LENGTH_MAX = 128;

/** How many checked certificates are remembered, so that each costs one signature check. */
const CHECKED_MAX = 1024;

/** A peer whose certificates failed this often gets no more checked until it is forgotten. */
const FAILURES_MAX = 8;

const DOMAIN = concatBytes(utf8("seedmint/fleet-certificate/v1"), Uint8Array.of(0));

/** What a certificate says, once its signature is checked. */
export interface FleetCertificate {
  readonly peerId: string;
  /** Milliseconds since 1970; whole seconds. */
  readonly expiresMs: number;
}

/**
 * Signs that `peerId` belongs to the fleet until `expiresMs` (cut to a whole second).
 *
 * @param options `fleetSecret`: the 32-byte Ed25519 secret of the fleet.
 * @throws {RangeError} If the peer id or the expiry is no such thing.
 */
export async function issueCertificate(
  options: {
    readonly fleetSecret: Uint8Array;
    readonly peerId: string;
    readonly expiresMs: number;
  },
): Promise<Bytes> {
  const { peerId } = options;
  const expiresS = Math.floor(options.expiresMs / 1000);
  if (peerId === "" || peerId.length > PEER_ID_LENGTH_MAX) {
    throw new RangeError(
      `Cannot certify "${
        peerId.slice(0, 80)
      }": a peer id of 1 to ${PEER_ID_LENGTH_MAX} characters is wanted`,
    );
  }
  if (!Number.isSafeInteger(expiresS) || expiresS < 0) {
    throw new RangeError(
      `Cannot certify until ${options.expiresMs}: milliseconds since 1970 wanted`,
    );
  }
  const body = { v: 1, peer: peerId, expiresS };
  const sig = await ed25519Sign(concatBytes(DOMAIN, encodeCbor(body)), options.fleetSecret);
  return encodeCbor({ ...body, sig });
}

/**
 * Reads and checks a certificate that a stranger sent.
 *
 * @returns What it says, or undefined when it is malformed or not signed by `fleetKey`. The caller
 * still compares the peer id and the expiry.
 */
export async function verifyCertificate(
  certificate: Uint8Array,
  fleetKey: Uint8Array,
): Promise<FleetCertificate | undefined> {
  const read = readCertificate(certificate);
  if (read === undefined) return undefined;
  const isSigned = await ed25519Verify(read.sig, read.signed, fleetKey);
  return isSigned ? { peerId: read.peerId, expiresMs: read.expiresMs } : undefined;
}

/** Decides who is a member, for a provider that serves `fleet` blobs to members alone. */
export class Fleet {
  readonly #peerIds: ReadonlySet<string>;
  readonly #key: Uint8Array | undefined;
  readonly #clock: Pick<Clock, "nowMs">;
  /** Hex of a certificate to whether its signature holds; the oldest entry goes first. */
  readonly #checked = new Map<string, boolean>();
  readonly #failures = new Map<string, number>();

  /**
   * @param options `peerIds`: configured members; `key`: the fleet's 32-byte Ed25519 public key,
   * without which no certificate is taken.
   */
  constructor(
    options: {
      readonly peerIds?: Iterable<string>;
      readonly key?: Uint8Array;
      readonly clock: Pick<Clock, "nowMs">;
    },
  ) {
    if (options.key !== undefined && options.key.length !== 32) {
      throw new RangeError(
        `Cannot use a fleet key of ${options.key.length} bytes: the 32 bytes of an Ed25519 public key are wanted`,
      );
    }
    this.#peerIds = new Set(options.peerIds ?? []);
    this.#key = options.key;
    this.#clock = options.clock;
  }

  /** Whether `peerId` is a configured member. */
  has(peerId: string): boolean {
    return this.#peerIds.has(peerId);
  }

  /**
   * What `peerId`, as the connection proves it, is to this node. A certificate that is malformed,
   * expired, of another peer or another key confers nothing and is no error.
   */
  async viewerOf(peerId: string, certificate?: Uint8Array): Promise<Viewer> {
    if (this.#peerIds.has(peerId)) return { peerId, fleet: true };
    if (certificate === undefined || this.#key === undefined) return { peerId, fleet: false };
    return { peerId, fleet: await this.#confers(certificate, peerId, this.#key) };
  }

  async #confers(certificate: Uint8Array, peerId: string, key: Uint8Array): Promise<boolean> {
    const read = readCertificate(certificate);
    if (read === undefined || read.peerId !== peerId) return false;
    if (read.expiresMs <= this.#clock.nowMs()) return false;
    const id = certificate.toHex();
    const known = this.#checked.get(id);
    if (known !== undefined) return known;
    // A signature check costs a millisecond: a peer that keeps sending bad ones gets none.
    const failures = this.#failures.get(peerId) ?? 0;
    if (failures >= FAILURES_MAX) return false;
    const isSigned = await ed25519Verify(read.sig, read.signed, key);
    if (!isSigned) remember(this.#failures, peerId, failures + 1);
    remember(this.#checked, id, isSigned);
    return isSigned;
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > CHECKED_MAX) map.delete(map.keys().next().value!);
}

function readCertificate(
  certificate: Uint8Array,
): (FleetCertificate & { readonly sig: Uint8Array; readonly signed: Uint8Array }) | undefined {
  let value: unknown;
  try {
    value = decodeCbor(certificate, { bytesMax: CERTIFICATE_BYTES_MAX });
  } catch (error) {
    if (isSeedmintError(error, "protocol")) return undefined;
    throw error;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { v, peer, expiresS, sig, ...unknown } = value as Record<string, unknown>;
  if (v !== 1 || Object.keys(unknown).length > 0) return undefined;
  if (typeof peer !== "string" || peer === "" || peer.length > PEER_ID_LENGTH_MAX) return undefined;
  if (!Number.isSafeInteger(expiresS) || (expiresS as number) < 0) return undefined;
  if (!(sig instanceof Uint8Array) || sig.length !== 64) return undefined;
  return {
    peerId: peer,
    expiresMs: (expiresS as number) * 1000,
    sig,
    signed: concatBytes(DOMAIN, encodeCbor({ v, peer, expiresS })),
  };
}
