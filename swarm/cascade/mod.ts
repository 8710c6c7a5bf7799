/**
 * # `/seedmint/cascade/1`
 *
 * Content known by its SHA-256 alone, brought in once for a whole fleet and passed on between its
 * members while it is still being read. This comment is the protocol's specification.
 *
 * ## Vocabulary
 *
 * An *intake* is one content on its way in at one node. *Upstream* is where it comes from without the
 * fleet. Content of 4 MiB and more is cut into two to four *parts*, as `partsOf` says; each has a tree
 * of its own. A member that is fed by another is its *child*, which has a *seat* there; the other is
 * its *parent*. The *path* of a member is its parent, that one's parent, and so on up to the one
 * that reads upstream. Each member has one part that it is to pass on, its *home*: there it has four
 * seats, in the others one. So a member sends hardly more than it receives, and a fleet on equal
 * lines is as fast as its upstream.
 *
 * ## What is promised
 *
 * - The bytes are upstream's word and no more: a node gives them to nobody but members of its fleet,
 *   which do the same check themselves, until their SHA-256 is right.
 * - Upstream is always behind: a search ends after 2.5 s, a parent that falls silent is left within 2 s,
 *   and what came stays.
 * - Content that is `private` is read from upstream alone, and never passed on.
 *
 * ## Streams
 *
 * A child opens a stream for each part and says one `ask`; the parent answers. Frames, varints and
 * canonical CBOR are those of `/seedmint/blobs/1`; fields of unknown names are ignored. A child that
 * says more, or closes its end, loses its seat.
 *
 * | message | fields | |
 * |---|---|---|
 * | `ask` | `sha256`, `size`, `part`, `offset`, `addrs`, `certificate`? | the bytes of the part from `offset` on, counted in the content |
 * | `feed` | `path`, `certificate`? | seated: data frames follow as bytes come |
 * | `path` | `path` | the parent's own path is this now |
 * | `tick` | | nothing to send at the moment; every 0.4 s |
 * | `elsewhere` | `peers`: up to 8 of `{peer, addrs}` | no seat here, or not any more: ask these |
 * | `end` | | the part is sent |
 *
 * `elsewhere` comes from a member that is full and names its children; from one that gives a seat to
 * somebody that others can hang below, and names it; and from one that does not fetch the content,
 * which names whoever asked it before. A stranger hears `elsewhere` with nobody in it, whatever is here.
 *
 * ## Who asks whom
 *
 * SHA-256 over the digest in hex, a space and the peer id orders the members, those whose home the
 * part is first. In that order they form a heap of 32 children each. A node asks the one above it, then
 * the next, up to the first of all, and three that stand in for it when it cannot be reached; whom
 * they name is asked before. If nobody has a seat the node reads upstream itself.
 *
 * A parent refuses who stands in its path. A path that comes to lead back to a member is left by the
 * one with the least peer id among those in the circle. So bytes never run in a circle.
 *
 * May import: `src/core`, the swarm's ports, `swarm/store`, `swarm/origin`, `swarm/protocol`,
 * `swarm/fleet.ts`; of `swarm/fetch` and `swarm/registry` types alone.
 */
export { type BringRequest, Cascade, type CascadeFigures, type CascadeOptions } from "./cascade.ts";
export type { ContentDigest, ContentName } from "./names.ts";
