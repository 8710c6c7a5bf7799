/** What a request for a blob asks for: conditions (RFC 9110 section 13) and ranges (14). Pure. */
import { Refusal } from "./refusal.ts";

/** The outcome. Of a range, `end` is the byte after the last. */
export type Wanted =
  | { readonly kind: "unchanged" }
  | { readonly kind: "all" }
  | { readonly kind: "range"; readonly start: number; readonly end: number };

/** Whether more than one range was asked for: the whole is served then. */
export function isMultiRange(headers: ReadonlyMap<string, string>): boolean {
  return /^bytes\s*=/i.test(headers.get("range") ?? "") && headers.get("range")!.includes(",");
}

/**
 * @param options `etag` is strong and in quotes; `size` in bytes. With `isStrict` a range that ends
 * before it begins is 416, as the registries' conformance suite wants it; else it means the whole.
 * @throws {Refusal} 412 or 416.
 */
export function wantedOf(
  headers: ReadonlyMap<string, string>,
  options: { readonly etag: string; readonly size: number; readonly isStrict?: boolean },
): Wanted {
  const { etag, size } = options;
  const ifMatch = headers.get("if-match");
  if (ifMatch !== undefined && !names(ifMatch, etag, "strong")) {
    throw new Refusal(412, "The content has another ETag; leave out If-Match");
  }
  const ifNoneMatch = headers.get("if-none-match");
  if (ifNoneMatch !== undefined && names(ifNoneMatch, etag, "weak")) return { kind: "unchanged" };
  const range = headers.get("range");
  if (range === undefined) return { kind: "all" };
  const ifRange = headers.get("if-range");
  // A date never matches: content has a hash here, and no date.
  if (ifRange !== undefined && ifRange !== etag) return { kind: "all" };
  return rangeOf(range, { size, isStrict: options.isStrict === true });
}

function rangeOf(
  text: string,
  { size, isStrict }: { readonly size: number; readonly isStrict: boolean },
): Wanted {
  const match = /^bytes\s*=\s*(\d{0,32})\s*-\s*(\d{0,32})$/i.exec(text);
  // What is malformed, of another unit, or of many parts is as if it were not there.
  if (match === null || (match[1] === "" && match[2] === "")) return { kind: "all" };
  const unsatisfiable = () =>
    new Refusal(416, `The content has ${size} bytes; ask for a range inside of them`, {
      headers: [["Content-Range", `bytes */${size}`]],
    });
  if (match[1] === "") {
    const count = Math.min(Number(match[2]), size);
    if (count === 0) throw unsatisfiable();
    return { kind: "range", start: size - count, end: size };
  }
  const start = Number(match[1]);
  const last = match[2] === "" ? size - 1 : Number(match[2]);
  const isBackwards = match[2] !== "" && last < start;
  if (isBackwards && !isStrict) return { kind: "all" };
  if (isBackwards || start >= size) throw unsatisfiable();
  return { kind: "range", start, end: Math.min(last + 1, size) };
}

/** Whether a list of entity tags names `etag`. */
function names(list: string, etag: string, comparison: "strong" | "weak"): boolean {
  if (list.trim() === "*") return true;
  return list.split(",").map((tag) => tag.trim()).some((tag) =>
    tag === etag || (comparison === "weak" && tag === `W/${etag}`)
  );
}
