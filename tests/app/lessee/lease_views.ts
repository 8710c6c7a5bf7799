/** Offers, quotes and leases as a node shows them, for tests of what shows them to people. */
import type { LeaseView, OfferView, QuoteView } from "../../../src/app/api/lease_methods.ts";
import { npub } from "../../../src/nostr/nostr.ts";

/** Key of the provider in these. */
export const PROVIDER = "e".repeat(64);

/** A lease that runs. */
export function leaseOf(fields: Partial<LeaseView> = {}): LeaseView {
  return {
    id: "abcd1234",
    requestId: "request-1",
    state: "active",
    provider: PROVIDER,
    npub: npub(PROVIDER),
    providerName: "alpha",
    lease: "container-7",
    leaseId: `${PROVIDER}:container-7:1000`,
    providerState: "ready",
    tier: "basic",
    image: "docker.io/library/debian:12",
    cpuMillicores: 1000,
    memoryMb: 1024,
    sshHost: "192.0.2.7",
    sshPort: 2222,
    sshUser: "root",
    sshPassword: null,
    hostKeyFingerprint: `SHA256:${"A".repeat(43)}`,
    identityFile: "/data/ssh/id_ed25519",
    ports: [],
    createdMs: 1_000_000,
    readyMs: 1_001_000,
    expiresMs: 4_000_000,
    endedMs: null,
    paidSat: 180,
    feeSat: 2,
    refundedSat: 0,
    keepalive: null,
    problem: null,
    ...fields,
  };
}

/** An offer with two tiers. */
export function offerOf(fields: Partial<OfferView> = {}): OfferView {
  const tier = {
    id: "basic",
    name: "Basic",
    description: "small",
    cpuMillicores: 1000,
    memoryMb: 1024,
    diskMb: 10_240,
    rateMsatPerS: 50,
    slotCount: 3,
  };
  return {
    provider: PROVIDER,
    npub: npub(PROVIDER),
    name: "alpha",
    location: "EU",
    capabilities: ["oci"],
    isolation: "shared-kernel",
    mints: ["https://mint.example.org"],
    tiers: [tier, { ...tier, id: "large", cpuMillicores: 4000, rateMsatPerS: 200 }],
    isOnline: true,
    seenMs: 999_000,
    uptimePercent: 97.5,
    score: 12,
    activeCount: 2,
    freeCpuMillicores: 6000,
    freeMemoryMb: 8192,
    freeDiskMb: 100_000,
    isDraining: false,
    backend: "runc",
    arch: "amd64",
    minDurationS: 60,
    maxDurationS: 86_400,
    portCountMax: 8,
    takesLocked: true,
    verbs: ["quote", "stop"],
    apiEndpoint: null,
    createdMs: 900_000,
    warnings: [],
    ...fields,
  };
}

/** What an hour of the first tier costs. */
export function quoteOf(fields: Partial<QuoteView> = {}): QuoteView {
  return {
    provider: PROVIDER,
    npub: npub(PROVIDER),
    providerName: "alpha",
    tier: offerOf().tiers[0]!,
    durationS: 3600,
    amountSat: 180,
    mints: ["https://mint.example.org"],
    minDurationS: 60,
    maxDurationS: null,
    isAvailable: true,
    note: null,
    isImageHere: true,
    isBinding: true,
    ...fields,
  };
}
