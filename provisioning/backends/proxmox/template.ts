/** An image as a template of Proxmox: its layers in one archive, with our SSH server in it. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { SeedmintError } from "../../../src/core/errors.ts";
import { isThere, mustRun, removeTree } from "../../machine/mod.ts";
import type { Image } from "../../ports.ts";
import { serverBundle } from "../../ssh/mod.ts";
import { UnpackedImages } from "../../unpack/mod.ts";
import { SERVER_AT } from "../host/mod.ts";
import { PACK_MS_MAX } from "./limits.ts";

/** Digits of an image's digest in its template's name, which may have 255. */
export const TEMPLATE_DIGEST_CHARS = 64;

/** The script that a container starts with. */
export const START_AT = "/.seedmint/start";

/** Takes what the container was told out of its environment, and goes on as its first process. */
const START = `b=${SERVER_AT}/busybox
umask 077
echo "$SEEDMINT_HOST_KEY" | $b base64 -d >/.seedmint/host_key
echo "$SEEDMINT_FIRST" | $b base64 -d >/.seedmint/first
unset SEEDMINT_HOST_KEY SEEDMINT_FIRST
cd /
exec $b sh /.seedmint/first
`;

/** A template on our disk. */
export interface Template {
  readonly place: string;
  /** Its name on Proxmox: of one image with one version of our server. */
  readonly name: string;
  readonly sha256: string;
}

/** Templates of images, made in a directory of ours. */
export class Templates {
  readonly #folder: string;
  readonly #images: UnpackedImages;

  /** @param options.imageBytesMax The largest image, unpacked. */
  constructor(folder: string, options: { readonly imageBytesMax?: number | undefined } = {}) {
    this.#folder = folder;
    const { imageBytesMax } = options;
    this.#images = new UnpackedImages(`${folder}/images`, {
      idOffset: 0,
      ...(imageBytesMax === undefined ? {} : { imageBytesMax }),
    });
  }

  /** Makes the directories, and removes what a crash left. */
  async open(): Promise<void> {
    for (const name of ["images", "server", "templates"]) {
      await Deno.mkdir(`${this.#folder}/${name}`, { recursive: true, mode: 0o700 });
    }
    await this.#images.clean();
    for await (const { name } of Deno.readDir(`${this.#folder}/templates`)) {
      await removeTree(`${this.#folder}/templates/${name}`);
    }
  }

  /** The name that an image's template has, whether it is made or not. */
  async nameOf(image: Image): Promise<string> {
    const server = await this.#server();
    const version = createHash("sha256").update(START).update(server).digest("hex").slice(0, 8);
    return `seedmint-${image.digest.slice(0, TEMPLATE_DIGEST_CHARS)}-${version}.tar.gz`;
  }

  /** Makes it. The caller removes the file. */
  async make(image: Image, options: { readonly signal: AbortSignal }): Promise<Template> {
    const name = await this.nameOf(image);
    await this.#images.unpack(image, options);
    const work = `${this.#folder}/templates/${crypto.randomUUID()}`;
    const ours = `${work}/ours/.seedmint`;
    await Deno.mkdir(ours, { recursive: true });
    await mustRun(["cp", "-R", await this.#server(), `${ours}/server`], options);
    await Deno.writeTextFile(`${ours}/start`, START, { mode: 0o644 });
    const archive = `${work}/${name.slice(0, -".gz".length)}`;
    const place = `${work}/${name}`;
    const longer = { ...options, timeoutMs: PACK_MS_MAX };
    const tar = ["tar", "--numeric-owner", "--one-file-system", "-f", archive];
    // An image's own folder of that name is left out: ours is trusted.
    const root = this.#images.rootOf(image.digest);
    await mustRun([...tar, "-c", "-C", root, "--exclude=./.seedmint", "."], longer);
    const owner = ["--owner=0", "--group=0"];
    await mustRun([...tar, "-r", ...owner, "-C", `${work}/ours`, "./.seedmint"], longer);
    await mustRun(["gzip", "-n", "-1", archive], longer);
    await removeTree(`${work}/ours`);
    const digest = createHash("sha256");
    for await (const chunk of createReadStream(place)) digest.update(chunk);
    return { place, name, sha256: digest.digest("hex") };
  }

  /** Removes a template's file and the unpacked image behind it: Proxmox has it now. */
  async drop(template: Template, image: Image): Promise<void> {
    await removeTree(template.place.slice(0, template.place.lastIndexOf("/")));
    await this.#images.remove(image.digest);
  }

  async #server(): Promise<string> {
    const bundle = await serverBundle(`${this.#folder}/server`);
    if (bundle.hasShell && await isThere(bundle.folder)) return bundle.folder;
    throw new SeedmintError(
      "unavailable",
      "Cannot make a template: busybox is not installed or not static; install busybox-static",
    );
  }
}
