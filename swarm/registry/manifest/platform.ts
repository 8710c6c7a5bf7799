/** Platforms of images, as `os/architecture[/variant]`. */
import type { Descriptor } from "../ports.ts";
import { PLATFORM_CHARS_MAX } from "./limits.ts";

/** What an image runs on. */
export type Platform = NonNullable<Descriptor["platform"]>;

const PART = /^[a-z0-9][a-z0-9._-]*$/;

/** Names that machines use for the architectures of Go, which images use. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
  armhf: "arm",
  armel: "arm",
  i386: "386",
  i686: "386",
};

/** A variant that goes without saying. */
const VARIANTS: Readonly<Record<string, string>> = { arm64: "v8", arm: "v7", amd64: "v1" };

/**
 * Reads a platform as people write it: `linux/amd64`, `linux/arm64/v8`, or `arm64` for Linux.
 *
 * @throws {SyntaxError} If it is none.
 */
export function parsePlatform(text: string): Platform {
  const parts = text.trim().toLowerCase().split("/");
  const [os, architecture, variant] = parts.length === 1 ? ["linux", parts[0]] : parts;
  const isFine = parts.length <= 3 &&
    [os, architecture, variant].every((part) =>
      part === undefined || (part.length <= PLATFORM_CHARS_MAX && PART.test(part))
    );
  if (!isFine) {
    throw new SyntaxError(
      `Cannot read "${text.slice(0, 80)}" as a platform: wanted OS/ARCHITECTURE[/VARIANT], ` +
        "as linux/amd64 or linux/arm64/v8",
    );
  }
  return {
    os: os!,
    architecture: ARCHITECTURES[architecture!] ?? architecture!,
    ...(variant === undefined ? {} : { variant }),
  };
}

/** A platform as text: `linux/arm64/v8`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return `${os}/${architecture}${variant === undefined ? "" : `/${variant}`}`;
}

/** The platform that containers run on at this machine: those of a Mac or of Windows run Linux. */
export function hostPlatform(build: { readonly arch: string }): Platform {
  return { os: "linux", architecture: ARCHITECTURES[build.arch] ?? build.arch };
}

/** Whether two platforms are one, with the variants that go without saying. */
export function isSamePlatform(a: Platform, b: Platform): boolean {
  return a.os === b.os && a.architecture === b.architecture && variantOf(a) === variantOf(b);
}

/** Whether `found` is what `wanted` asks for: a variant that is not asked for does not matter. */
export function matchesPlatform(wanted: Platform, found: Platform): boolean {
  return wanted.os === found.os && wanted.architecture === found.architecture &&
    (wanted.variant === undefined || variantOf(wanted) === variantOf(found));
}

function variantOf({ architecture, variant }: Platform): string {
  return variant ?? VARIANTS[architecture] ?? "";
}
