/**
 * Where a tag points: as a signed pin says, else its registry, else what its registry said last, marked
 * stale. Peers are never asked: what they say may be old, or a lie that no hash shows.
 */
import type { Clock } from "../../../src/core/ports.ts";
import type { RegistryIndex } from "../index/mod.ts";
import { type Digest, formatRepository } from "../names.ts";
import type { SignedPins } from "../ports.ts";
import type { Access, Target } from "./access.ts";
import { Deadline, within } from "./deadline.ts";
import type { MirrorLimits } from "./limits.ts";
import type { MirrorEvent } from "./options.ts";
import { abortable, SharedWork } from "./shared_work.ts";

/** What {@link TagDesk} works with. */
export interface TagDeskOptions {
  readonly index: RegistryIndex;
  readonly access: Access;
  readonly pins: SignedPins | undefined;
  readonly clock: Clock;
  readonly limits: MirrorLimits;
  /** How long an answer counts without asking again. */
  readonly cacheMs: number;
  /** Ends all questions. */
  readonly signal: AbortSignal;
  readonly tell: (event: MirrorEvent) => void;
}

/** Where a tag points. */
export interface Resolved {
  readonly digest: Digest;
  /** Its registry could not be asked. */
  readonly isStale: boolean;
}

/** What came of asking a registry; `silent`: it could not be asked. */
type Asked = { readonly digest: Digest } | "gone" | "silent";

/** See the head of this file. */
export class TagDesk {
  readonly #options: TagDeskOptions;
  readonly #asking = new SharedWork<Asked>();

  constructor(options: TagDeskOptions) {
    this.#options = options;
  }

  /** @throws `signal.reason` once `signal` is aborted. */
  async resolve(
    target: Target,
    tag: string,
    signal: AbortSignal,
  ): Promise<Resolved | undefined> {
    const { index, pins, clock, limits, cacheMs, tell } = this.#options;
    const { name } = target;
    const said = (by: Extract<MirrorEvent, { type: "tag" }>["by"]) =>
      tell({ type: "tag", name, by });
    const pinned = pins?.pinOf(name, tag);
    if (pinned !== undefined) {
      said("pin");
      return { digest: pinned, isStale: false };
    }
    if (target.mode === "miss-404") {
      said("nobody");
      return undefined;
    }
    const known = index.tags.get(name, tag);
    const ageMs = known === undefined ? Infinity : clock.nowMs() - known.checkedMs;
    // A clock that was set back must not keep a tag where it is for ever.
    if (known !== undefined && ageMs >= 0 && ageMs < cacheMs) {
      said("cache");
      return { digest: known.digest, isStale: false };
    }
    const key = `${formatRepository(name)}:${tag}`;
    const asking = this.#asking.begin(key, () => this.#ask(target, tag));
    const state: { asked?: Asked } = {};
    const noted = asking.then((asked) => void (state.asked = asked));
    const ms = known === undefined ? limits.upstreamMs : limits.staleAfterMs;
    await within(noted, { clock, ms, signal });
    const { asked = "silent" } = state;
    if (asked === "gone" || (asked === "silent" && known === undefined)) {
      said("nobody");
      return undefined;
    }
    said(asked === "silent" ? "stale" : "upstream");
    return asked === "silent"
      ? { digest: known!.digest, isStale: true }
      : { digest: asked.digest, isStale: false };
  }

  async #ask(target: Target, tag: string): Promise<Asked> {
    const { index, access, clock, limits, tell } = this.#options;
    const { name, upstream } = target;
    using deadline = new Deadline(clock, {
      ms: limits.upstreamMs,
      what: "the registry's answer",
      signals: [this.#options.signal],
    });
    const { signal } = deadline;
    const known = index.tags.get(name, tag);
    try {
      const answer = await abortable(
        upstream.manifest(name.repository, { tag }, {
          signal,
          isHead: true,
          ...(known?.etag === undefined ? {} : { etag: known.etag }),
        }),
        signal,
      );
      switch (answer.status) {
        case "found":
          return this.#found(target, tag, answer);
        case "unchanged":
          // Nobody says "unchanged" who was not told what was known.
          if (known === undefined) return "silent";
          return this.#found(target, tag, known);
        case "missing":
          index.tags.remove(name, tag);
          return "gone";
        case "denied":
          access.denied(target);
          return "gone";
        case "limited":
          return "silent";
        default:
          return answer satisfies never;
      }
    } catch (error) {
      tell({ type: "trouble", what: "a tag's registry", error });
      return "silent";
    }
  }

  #found(
    target: Target,
    tag: string,
    said: { readonly digest: Digest; readonly etag?: string },
  ): Asked {
    const { digest, etag } = said;
    this.#options.index.tags.set(target.name, tag, {
      digest,
      ...(etag === undefined ? {} : { etag }),
    });
    this.#options.access.granted(target, [{ digest, kind: "manifest" }]);
    return { digest };
  }
}
