/** A listener of the registry: the mirror's, or the one that is pushed to. */
import type { Clock, Random } from "../../../src/core/ports.ts";
import { Crowd } from "../../http/crowd.ts";
import { type Guest, type GuestRequest, HttpListener, urlOfListener } from "../../http/listener.ts";
import { LOCAL_REGISTRY } from "../index/mod.ts";
import type { BlobStore } from "../../store/blob_store.ts";
import type { Digest } from "../names.ts";
import type { RegistryReader, RegistryWriter } from "../ports.ts";
import { answerBlob } from "./blobs.ts";
import { RegistryExchange } from "./exchange.ts";
import { checkClaim } from "./guard.ts";
import { answerImage } from "./images.ts";
import { REGISTRY_SERVER_LIMITS, type RegistryServerLimits } from "./limits.ts";
import { answerCatalog, answerReferrers, answerTags } from "./listings.ts";
import { answerManifest } from "./manifests.ts";
import { localName, mirrorName, type MirrorNames, type Named } from "./naming.ts";
import { refusalOf } from "./oci_error.ts";
import type { FindImage, IsOpenImage, RegistryParts } from "./parts.ts";
import { type Route, routeOf } from "./route.ts";
import { answerUpload, beginUpload } from "./uploads.ts";

/** One request that was answered, or broken off. */
export interface RegistryEvent {
  readonly method: string;
  readonly route: Route["route"] | "none";
  /** 0: it was broken off before it was answered. */
  readonly status: number;
  /** Content bytes that were sent or taken. */
  readonly bytes: number;
  readonly ms: number;
  /** The registry that was meant, where one was. */
  readonly registry?: string;
  readonly repository?: string;
  /** The content, where it was found. */
  readonly digest?: Digest;
}

/** Options of {@link RegistryServer.start}. */
export interface RegistryServerOptions {
  /** @default {"127.0.0.1"} */
  readonly hostname?: string;
  /** 0 lets the system choose, which suits tests alone. */
  readonly port: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly store: BlobStore;
  readonly reader: RegistryReader;
  /** Of the push registry. Without it everything is read only. */
  readonly writer?: RegistryWriter;
  /** Whether names are those of other registries, or this node's own. */
  readonly naming: "mirror" | "local";
  /** Needed of a mirror. */
  readonly mirrorOptions?: MirrorNames;
  /** Names besides loopback's under which the listener may be asked, with or without a port. */
  readonly hosts?: readonly string[];
  /** Brings an image for LXD or Incus that the store does not hold. */
  readonly findImage?: FindImage;
  /**
   * Which blobs besides public ones are images for LXD or Incus, which anybody may ask for who knows
   * their SHA-256. @default {none}
   */
  readonly isOpenImage?: IsOpenImage;
  readonly limits?: Partial<RegistryServerLimits>;
  readonly onServed?: (event: RegistryEvent) => void;
}

/** See the head of this file. */
export class RegistryServer implements AsyncDisposable {
  /** The port listened on. */
  readonly port: number;
  /** Where clients of this machine reach it, without a slash at the end. */
  readonly url: string;
  readonly #options: RegistryServerOptions;
  readonly #limits: RegistryServerLimits;
  readonly #hosts: ReadonlySet<string>;
  readonly #parts: RegistryParts;
  readonly #listener: HttpListener;
  readonly #crowd: Crowd;

  private constructor(options: RegistryServerOptions) {
    const { store, reader, writer, clock, findImage, isOpenImage, naming, hosts = [] } = options;
    this.#options = options;
    this.#limits = { ...REGISTRY_SERVER_LIMITS, ...options.limits };
    this.#crowd = new Crowd(this.#limits);
    this.#hosts = new Set(hosts.map((host) => host.toLowerCase()));
    this.#parts = {
      store,
      reader,
      clock,
      isMirror: naming === "mirror",
      sending: 0,
      manifestBodies: 0,
      ...(writer === undefined ? {} : { writer }),
      ...(findImage === undefined ? {} : { findImage }),
      ...(isOpenImage === undefined ? {} : { isOpenImage }),
    };
    this.#listener = new HttpListener({
      hostname: options.hostname ?? "127.0.0.1",
      port: options.port,
      clock,
      limits: this.#limits,
      admit: (remote, local) => this.#admit(remote, local),
    });
    this.port = this.#listener.address.port;
    this.url = urlOfListener(this.#listener.address);
  }

  /**
   * Listens.
   *
   * @throws {SeedmintError} `unavailable` if the port is taken or may not be used.
   * @throws {TypeError} For a mirror without its names, or one that is written to.
   */
  static start(options: RegistryServerOptions): Promise<RegistryServer> {
    const { naming, mirrorOptions, writer } = options;
    if (naming === "mirror" && (mirrorOptions === undefined || writer !== undefined)) {
      return Promise.reject(new TypeError("A mirror needs mirrorOptions, and takes no writer"));
    }
    try {
      return Promise.resolve(new RegistryServer(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener[Symbol.asyncDispose]();
  }

  #admit(remote: string, local: string): Guest | undefined {
    const leave = this.#crowd.enter(remote, local);
    return leave && { answer: (request) => this.#answer(request, local), leave };
  }

  async #answer(request: GuestRequest, localAddress: string): Promise<boolean> {
    const { head, reader, connection, signal, abort } = request;
    const { clock, onServed } = this.#options;
    const exchange = new RegistryExchange({
      head,
      reader,
      connection,
      signal,
      abort,
      clock,
      limits: this.#limits,
    });
    const startedMs = clock.monotonicMs();
    const seen: Seen = { route: "none" };
    try {
      if (request.refusal !== undefined) throw request.refusal;
      checkClaim({ headers: head.headers, localAddress, hosts: this.#hosts });
      // Who waits and goes away is worked for no longer.
      exchange.watch();
      await this.#route(exchange, seen);
    } catch (error) {
      // After the head of an answer nothing but its end can tell that it went wrong.
      if (exchange.status !== 0 || signal.aborted) throw error;
      await exchange.refuse(refusalOf(error, this.#parts.isMirror));
    } finally {
      onServed?.({
        method: head.method,
        status: exchange.status,
        bytes: exchange.bytes,
        ms: clock.monotonicMs() - startedMs,
        route: seen.route,
        ...(seen.named === undefined ? {} : seen.named.name),
        ...(exchange.digest === undefined ? {} : { digest: exchange.digest }),
      });
    }
    return exchange.closes;
  }

  async #route(exchange: RegistryExchange, seen: Seen): Promise<void> {
    const { method, path } = exchange.head;
    const parts = this.#parts;
    const route = routeOf(method, path, { isWritable: parts.writer !== undefined });
    seen.route = route.route;
    switch (route.route) {
      case "ping":
        return await exchange.json(200, {});
      case "catalog":
        return await answerCatalog(parts, exchange);
      case "image":
        return await answerImage(parts, exchange, route.sha256);
    }
    const named = seen.named = this.#nameOf(exchange, route.path);
    switch (route.route) {
      case "manifest":
        return await answerManifest(parts, exchange, { named, reference: route.reference });
      case "blob":
        return await answerBlob(parts, exchange, { named, digest: route.digest });
      case "uploads":
        return await beginUpload(parts, exchange, named);
      case "upload":
        return await answerUpload(parts, exchange, { named, id: route.id });
      case "tags":
        return await answerTags(parts, exchange, named);
      case "referrers":
        return await answerReferrers(parts, exchange, { named, digest: route.digest });
      default:
        route satisfies never;
    }
  }

  #nameOf(exchange: RegistryExchange, path: string): Named {
    const ns = exchange.head.query.get("ns");
    const { mirrorOptions } = this.#options;
    if (this.#parts.isMirror) {
      return mirrorName(path, ns, {
        defaultRegistry: mirrorOptions!.defaultRegistry,
        // What was pushed here must never stand for what another registry has.
        isMirrored: (registry) =>
          registry !== LOCAL_REGISTRY && mirrorOptions!.isMirrored(registry),
      });
    }
    return localName(path, ns, { registry: LOCAL_REGISTRY, host: exchange.header("host") ?? "" });
  }
}

/** What became known of a request while it was answered. */
interface Seen {
  route: RegistryEvent["route"];
  named?: Named;
}
