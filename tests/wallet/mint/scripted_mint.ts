/** An HTTP server on loopback that answers as a test says: the answers no honest mint gives. */
import { createNewMintKeys } from "@cashu/cashu-ts";
import { parseMintUrl } from "../../../wallet/mint/mint_url.ts";
import type { Keyset, MintUrl } from "../../../wallet/types.ts";

/** A request as it came. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** Answers one request. */
export type Answer = (request: SeenRequest) => Response | Promise<Response>;

/** A keyset of 2^0 to 2^(count - 1), with its secret keys. */
export interface ScriptedKeyset extends Keyset {
  readonly secretKeys: Readonly<Record<string, Uint8Array>>;
}

/** Makes a keyset. */
export function newKeyset(
  options: { readonly feePpk?: number; readonly version?: 0 | 1; readonly count?: number } = {},
): ScriptedKeyset {
  const { feePpk = 0, version = 1, count = 10 } = options;
  const made = createNewMintKeys(count as 10, undefined, {
    input_fee_ppk: feePpk,
    unit: "sat",
    versionByte: version,
  });
  const keys = Object.entries(made.pubKeys).map(([amount, key]) => [amount, key.toHex()]);
  return {
    id: made.keysetId,
    unit: "sat",
    active: true,
    inputFeePpk: feePpk,
    keys: Object.fromEntries(keys),
    secretKeys: made.privKeys,
  };
}

/** See the head of this file. */
export class ScriptedMint implements AsyncDisposable {
  readonly url: MintUrl;
  readonly requests: SeenRequest[] = [];
  readonly #server: Deno.HttpServer;
  readonly #answers = new Map<string, Answer>();

  constructor(keysets: readonly ScriptedKeyset[] = []) {
    this.#server = Deno.serve(
      {
        hostname: "127.0.0.1",
        port: 0,
        onListen: () => {},
        onError: () => new Response("", { status: 500 }),
      },
      async (request) => {
        const { pathname: path } = new URL(request.url);
        const seen = { method: request.method, path, body: await request.text() };
        this.requests.push(seen);
        const answer = this.#answers.get(path);
        return answer ? await answer(seen) : new Response("not here", { status: 404 });
      },
    );
    this.url = parseMintUrl(`http://127.0.0.1:${(this.#server.addr as Deno.NetAddr).port}`);
    this.json("/v1/info", { name: "scripted", version: "0", nuts: { "9": { supported: true } } });
    this.keysets(keysets);
  }

  /** Every answer on `path` from now on. */
  on(path: string, answer: Answer): void {
    this.#answers.set(path, answer);
  }

  /** As {@link on}, with JSON. */
  json(path: string, body: unknown, status = 200): void {
    this.on(path, () => Response.json(body, { status }));
  }

  /** Lists `keysets` and gives their keys. */
  keysets(keysets: readonly ScriptedKeyset[]): void {
    this.json("/v1/keysets", {
      keysets: keysets.map(({ id, unit, active, inputFeePpk }) => ({
        id,
        unit,
        active,
        input_fee_ppk: inputFeePpk,
      })),
    });
    for (const { id, unit, keys } of keysets) {
      this.json(`/v1/keys/${id}`, { keysets: [{ id, unit, keys }] });
    }
  }

  /** How many requests came to `path`. */
  countOf(path: string): number {
    return this.requests.filter((request) => request.path === path).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}
