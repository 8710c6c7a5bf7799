/** Who may have what clients pull through this node. */
import type { Visibility } from "../../store/blob_store.ts";
import type { Digest } from "../names.ts";
import type { Access, Target } from "./access.ts";
import type { MirrorPolicy } from "./options.ts";

/** The operator's word on visibility, by repository. */
export class Visibilities {
  readonly #access: Pick<Access, "isPrivate">;
  readonly #policy: MirrorPolicy;

  constructor(access: Pick<Access, "isPrivate">, policy: MirrorPolicy) {
    this.#access = access;
    this.#policy = policy;
  }

  /** Of what is pulled from a repository, because `manifest` lists it or is it. */
  of(target: Target, manifest?: Digest): Visibility {
    const { visibility = "fleet", privateVisibility = "private" } = this.#policy;
    if (visibility === "none") return "private";
    return this.#access.isPrivate(target, manifest) ? privateVisibility : visibility;
  }
}
