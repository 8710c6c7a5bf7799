/**
 * # `/seedmint/cascade/1`
 *
 * Content that nobody of a fleet has yet, known by its SHA-256 or its BLAKE3, brought in once for all
 * and passed on between the members while it is still being read. This comment is the protocol's
 * specification.
 *
 * ## Vocabulary
 *
 * An *intake* is one content on its way in at one node. *Upstream* is where it comes from without the
 * fleet. Content of 4 MiB and more is cut into two to four *parts* of equal length, as `partsOf` says;
 * each has a tree of its own. A member that is fed by another is its *child* and has a *seat* there; the
 * other is its *parent*. The *path* of a member is its parent, that one's parent, and so on up to
 * the *top*, which reads upstream. Each member has one part that it is to pass on, its *home*: there
 * it takes up to five children, in another part one, and only where it is the top. So a member
 * sends little more than it receives, and a fleet on equal lines is nearly as fast as its upstream.
 *
 * ## What is promised
 *
 * - The bytes are upstream's word and no more: a node gives them to nobody but members of its fleet,
 *   which do the same check themselves, until their hash is right. If it is wrong in the end, all of it
 *   is read once more from upstream alone.
 * - Upstream is always behind: a search ends after 2.5 s, a parent that falls silent is left within 2 s,
 *   as is one that sends much less than it has, and what came stays.
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
 * | `ask` | `digest`, `size`, `part`, `offset`, `home`, `addrs`, `near`?, `urgent`?, `certificate`? | the bytes of the part from `offset` on, counted in the content |
 * | `feed` | `path`, `top`?, `certificate`? | seated: data frames follow as bytes come |
 * | `path` | `path`, `top`? | the parent's own path is this now; no `top`: it is searching |
 * | `tick` | `tip`? | still here: every 0.4 s while there is nothing to send, and every second with how far the parent is itself |
 * | `elsewhere` | `peers`: up to 8 of `{peer, addrs}`, `full`? | no seat here, or not any more: ask these; `full`: there is one for who finds none anywhere |
 * | `end` | | the part is sent |
 *
 * `elsewhere` comes from a member that is full, and names its children that can have children and its
 * own parent; from one that needs a seat for somebody with a better right; and from one that does
 * not fetch the content, which names whoever asked it before. A stranger hears `elsewhere` with nobody
 * in it, whatever is here.
 *
 * ## Who asks whom
 *
 * SHA-256 over the digest in hex, a space and the peer id puts the members that a node knows into an
 * order; homes go round in it. For one part, those whose home it is come first. In that order they form
 * a heap of four: a node asks the one above it first (`near`), who keeps a seat for it; then the
 * next above, up to the first of all, and three that stand in for that one when it cannot be reached.
 * Whom they name is asked before. Who found everybody full asks them once more, `urgent`, for one seat
 * more than usual; who finds nobody reads upstream itself. A member that was seated elsewhere because
 * the one above it had not begun looks there once more after a second: so a fleet that starts within a
 * moment ends up in the heap, whose depth is the logarithm of its size.
 *
 * A parent refuses who stands in its path. A path that comes to lead back to a member is left by the
 * one with the least peer id among those in the circle. So bytes never run in a circle.
 *
 * May import: `src/core`, the swarm's ports, `swarm/store`, `swarm/origin`, `swarm/protocol`,
 * `swarm/fleet.ts`, `swarm/bao`'s geometry; of `swarm/fetch` and `swarm/registry` types alone.
 */
export { type BringRequest, Cascade, type CascadeFigures, type CascadeOptions } from "./cascade.ts";
export type { UploadPace } from "./child_stream.ts";
export type { ContentDigest, ContentName } from "./names.ts";
