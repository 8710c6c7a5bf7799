/**
 * Names of leases. On the wire of Paygress a lease is `container-<n>`; top-ups and status requests of
 * various versions say that or `<n>`. Over all providers it is told apart by the provider's key and the
 * second of its creation.
 */

const NAME = /^(?:container-)?(0|[1-9][0-9]{0,9})$/;
const NUMBER_MAX = 2 ** 32 - 1;

/** `container-<n>`. */
export function leaseNameOf(number: number): string {
  if (!Number.isSafeInteger(number) || number < 0 || number > NUMBER_MAX) {
    throw new RangeError(`Cannot name lease ${number}: a whole number up to ${NUMBER_MAX} wanted`);
  }
  return `container-${number}`;
}

/** The `n` of `container-<n>` or `<n>`; undefined for anything else. */
export function leaseNumberOf(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  const number = digits === undefined ? NaN : Number(digits);
  return number <= NUMBER_MAX ? number : undefined;
}

/** `container-<n>` for either form; undefined for anything else. */
export function canonicalLeaseName(name: string): string | undefined {
  const number = leaseNumberOf(name);
  return number === undefined ? undefined : leaseNameOf(number);
}

/** What a lease is known by everywhere. */
export interface LeaseId {
  /** Nostr key, 64 hex digits. */
  readonly provider: string;
  /** `container-<n>`. */
  readonly lease: string;
  /** Seconds since 1970. */
  readonly createdAtS: number;
}

/** `<provider hex>:container-<n>:<seconds>`. */
export function formatLeaseId(id: LeaseId): string {
  return `${id.provider}:${id.lease}:${id.createdAtS}`;
}

/** Reads what {@link formatLeaseId} writes; undefined for anything else. */
export function parseLeaseId(text: string): LeaseId | undefined {
  const [, provider, number, seconds] =
    /^([0-9a-f]{64}):container-(0|[1-9][0-9]{0,9}):([1-9][0-9]{0,11})$/.exec(text) ?? [];
  if (provider === undefined || Number(number) > NUMBER_MAX) return undefined;
  return { provider, lease: leaseNameOf(Number(number)), createdAtS: Number(seconds) };
}
