/**
 * The interface of Proxmox VE with an API token: forms in, JSON out, long work as tasks.
 * https://pve.proxmox.com/wiki/Proxmox_VE_API
 */
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { Buffer } from "node:buffer";
import type { Clock } from "../../../src/core/ports.ts";
import { isSeedmintError, messageOf, SeedmintError } from "../../../src/core/errors.ts";
import { ANSWER_BYTES_MAX, CALL_MS_MAX, POLL_MS, TASK_MS_MAX, UPLOAD_MS_MAX } from "./limits.ts";

/** Where the interface is, and what opens it. */
export interface ProxmoxAccess {
  /** `https://pve.lan:8006`. */
  readonly url: string;
  /** `USER@REALM!TOKENID=SECRET`. */
  readonly token: string;
  /** The authority that signed the interface's certificate, PEM; Proxmox has its own. */
  readonly authority?: string | undefined;
  readonly clock: Clock;
}

/** Fields of a request. */
export type Form = Readonly<Record<string, string | number | undefined>>;

interface Sent {
  readonly headers: Readonly<Record<string, string | number>>;
  readonly parts: readonly (string | { readonly file: string })[];
  readonly timeoutMs: number;
}

/** One node's interface. */
export class ProxmoxApi {
  readonly #access: ProxmoxAccess;

  /** @throws {SeedmintError} `usage` for a token or an address that cannot be one. */
  constructor(access: ProxmoxAccess) {
    if (!/^[^\s!=]+@[^\s!=]+![A-Za-z0-9_.-]+=[0-9A-Za-z-]{8,}$/.test(access.token)) {
      throw new SeedmintError(
        "usage",
        "Cannot use the token of Proxmox: USER@REALM!TOKENID=SECRET is wanted, in a file of one line",
      );
    }
    if (!/^https?:$/.test(URL.parse(access.url)?.protocol ?? "")) {
      throw new SeedmintError(
        "usage",
        `Cannot use ${access.url} as address of Proxmox: https://HOST:8006 is wanted`,
      );
    }
    this.#access = access;
  }

  /** @throws {SeedmintError} `unavailable`, `denied`, `invalid`, `conflict`, `not-found`. */
  async get<T>(path: string): Promise<T> {
    return await this.#send<T>("GET", path, { headers: {}, parts: [], timeoutMs: CALL_MS_MAX });
  }

  /** Sends fields; those that are undefined are left out. */
  async call<T>(method: "POST" | "PUT" | "DELETE", path: string, form: Form = {}): Promise<T> {
    const fields = new URLSearchParams();
    for (const [name, value] of Object.entries(form)) {
      if (value !== undefined) fields.set(name, String(value));
    }
    const text = fields.toString();
    // Proxmox reads no body of a DELETE.
    if (method === "DELETE") {
      return await this.#send<T>(method, text === "" ? path : `${path}?${text}`, {
        ...{ headers: {}, parts: [], timeoutMs: CALL_MS_MAX },
      });
    }
    return await this.#send<T>(method, path, {
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "content-length": Buffer.byteLength(text),
      },
      parts: [text],
      timeoutMs: CALL_MS_MAX,
    });
  }

  /** As {@link ProxmoxApi.call}, and waits until the task that it begins has ended well. */
  async task(method: "POST" | "DELETE", path: string, form: Form = {}): Promise<void> {
    await this.#finish(await this.call<unknown>(method, path, form));
  }

  /** Puts a file on a storage; Proxmox checks its SHA-256. */
  async upload(
    path: string,
    file: { readonly place: string; readonly name: string; readonly sha256: string },
  ): Promise<void> {
    const boundary = `seedmint${crypto.randomUUID().replaceAll("-", "")}`;
    const field = (name: string, value: string) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
    const head = field("content", "vztmpl") + field("checksum-algorithm", "sha256") +
      field("checksum", file.sha256) +
      `--${boundary}\r\nContent-Disposition: form-data; name="filename"; filename="${file.name}"` +
      "\r\nContent-Type: application/octet-stream\r\n\r\n";
    const tail = `\r\n--${boundary}--\r\n`;
    const { size } = await Deno.stat(file.place);
    const answer = await this.#send<unknown>("POST", path, {
      headers: {
        "content-type": `multipart/form-data; boundary=${boundary}`,
        "content-length": head.length + size + tail.length,
      },
      parts: [head, { file: file.place }, tail],
      timeoutMs: UPLOAD_MS_MAX,
    });
    await this.#finish(answer);
  }

  async #finish(upid: unknown): Promise<void> {
    const [, node] = typeof upid === "string" ? /^UPID:([^:/]+):[^/]+$/.exec(upid) ?? [] : [];
    // What is done at once has no task.
    if (node === undefined) return;
    const { clock } = this.#access;
    const endMs = clock.monotonicMs() + TASK_MS_MAX;
    for (;;) {
      const { status, exitstatus } = await this.get<{ status?: string; exitstatus?: string }>(
        `/nodes/${node}/tasks/${encodeURIComponent(String(upid))}/status`,
      );
      if (status === "stopped") {
        // Warnings are success, too.
        if (exitstatus === "OK" || /^WARNINGS: \d+$/.test(exitstatus ?? "")) return;
        throw failure("finish a task", 500, exitstatus ?? "it does not say why");
      }
      if (clock.monotonicMs() > endMs) {
        throw new SeedmintError("timeout", `Cannot wait for a task of ${node}: it does not end`, {
          retryable: true,
        });
      }
      await clock.sleep(POLL_MS);
    }
  }

  async #send<T>(method: string, path: string, sent: Sent): Promise<T> {
    const what = `ask Proxmox for ${method} ${path.split("?")[0]}`;
    let answer: { status: number; reason: string; text: string };
    try {
      answer = await this.#exchange(method, path, sent);
    } catch (error) {
      if (isSeedmintError(error)) throw error;
      throw new SeedmintError(
        "unavailable",
        `Cannot ${what}: it does not answer (${messageOf(error).slice(0, 200)})`,
        { retryable: true },
      );
    }
    let body: { data?: unknown; errors?: unknown; message?: unknown } = {};
    try {
      body = JSON.parse(answer.text);
    } catch {
      // Told by the status.
    }
    if (answer.status >= 200 && answer.status < 300) return body.data as T;
    const more = body.errors === undefined ? "" : ` ${JSON.stringify(body.errors)}`;
    const said = typeof body.message === "string" ? body.message.trim() : answer.reason;
    throw failure(what, answer.status, said + more);
  }

  #exchange(
    method: string,
    path: string,
    sent: Sent,
  ): Promise<{ status: number; reason: string; text: string }> {
    const { url, token, authority, clock } = this.#access;
    const target = new URL(`/api2/json${path}`, url);
    const request = target.protocol === "https:" ? httpsRequest : httpRequest;
    const { promise, resolve, reject } = Promise.withResolvers<
      { status: number; reason: string; text: string }
    >();
    const outgoing = request(target, {
      method,
      headers: { ...sent.headers, authorization: `PVEAPIToken=${token}`, connection: "close" },
      agent: false,
      ...(authority === undefined ? {} : { ca: authority }),
    }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > ANSWER_BYTES_MAX) incoming.destroy(new Error("its answer is too long"));
      });
      incoming.on("error", reject);
      incoming.on("end", () => {
        resolve({ status: incoming.statusCode ?? 0, reason: incoming.statusMessage ?? "", text });
      });
    });
    const stop = clock.timer(sent.timeoutMs, () => outgoing.destroy(new Error("it is silent")));
    outgoing.on("error", reject);
    pipeline(bytesOf(sent.parts), outgoing).catch(reject);
    return promise.finally(stop);
  }
}

async function* bytesOf(parts: Sent["parts"]): AsyncGenerator<string | Uint8Array> {
  for (const part of parts) {
    if (typeof part === "string") yield part;
    else yield* createReadStream(part.file);
  }
}

function failure(what: string, status: number, said: string): SeedmintError {
  const text = said.slice(0, 400);
  const code = status === 401 || status === 403
    ? "denied"
    : status === 400
    ? "invalid"
    : status === 404
    ? "not-found"
    : /already exists|detected modified configuration|CT is locked|got lock/i.test(text)
    ? "conflict"
    : /no space|not enough|out of space/i.test(text)
    ? "no-space"
    : "unavailable";
  return new SeedmintError(code, `Cannot ${what}: it answered ${status}: ${text}`, {
    retryable: code === "unavailable" || code === "conflict",
  });
}
