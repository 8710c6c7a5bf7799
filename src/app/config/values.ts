/**
 * How the text of a setting becomes its value. Every schema takes what a flag or a variable gives
 * (text) and what a TOML file gives (text, numbers, booleans, lists), and its message says what was
 * wanted; who reports it adds where the value came from.
 */
import { isIP } from "node:net";
import { v } from "../schema.ts";

const BYTE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  "": 1000,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A schema whose output is `T`. */
export type Schema<T> = v.GenericSchema<unknown, T>;

function scaled(
  units: Readonly<Record<string, number>>,
  message: string,
): (input: unknown) => number {
  return (input) => {
    const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(input).trim());
    const unit = match === null ? undefined : units[match[2]!.toLowerCase()];
    const value = unit === undefined ? NaN : Math.round(Number(match![1]) * unit);
    if (!Number.isSafeInteger(value)) throw new SyntaxError(message);
    return value;
  };
}

/** Turns a reader that throws `SyntaxError` into a schema with its message. */
export function reader<T>(read: (input: unknown) => T): Schema<T> {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      try {
        return read(dataset.value);
      } catch (error) {
        addIssue({ message: error instanceof Error ? error.message : String(error) });
        return NEVER;
      }
    }),
  );
}

/** A size: `50GiB`, `1.5 GB`, `4096`. Bytes. */
export const bytesSchema: Schema<number> = reader(
  scaled(BYTE_UNITS, "a size such as 50GiB, 1.5GB or 4096 wanted"),
);

/** A time: `2s`, `500ms`, `90m`, `12h`; a bare number is seconds. Milliseconds. */
export const durationSchema: Schema<number> = reader(
  scaled(DURATION_UNITS, "a time such as 2s, 500ms, 90m or 12h wanted"),
);

/** Anything that is not empty. */
export const textSchema: Schema<string> = reader((input) => {
  if (typeof input === "string" && input.trim() !== "" && !input.includes("\0")) {
    return input.trim();
  }
  throw new SyntaxError("a text that is not empty wanted");
});

/** `true`, `yes`, `on`, `1`, and their opposites. */
export const booleanSchema: Schema<boolean> = reader((input) => {
  const text = String(input).trim().toLowerCase();
  if (["true", "yes", "on", "1"].includes(text)) return true;
  if (["false", "no", "off", "0"].includes(text)) return false;
  throw new SyntaxError("yes or no wanted");
});

/** A whole number from `least` to `most`. */
export function integerSchema(least: number, most: number): Schema<number> {
  return reader((input) => {
    const value = typeof input === "string" && input.trim() === "" ? NaN : Number(input);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new SyntaxError(`a whole number from ${least} to ${most} wanted`);
  });
}

/** One of `choices`. */
export function choiceSchema<const T extends string>(choices: readonly T[]): Schema<T> {
  return reader((input) => {
    const found = choices.find((choice) => choice === String(input).trim().toLowerCase());
    if (found !== undefined) return found;
    throw new SyntaxError(`one of ${choices.join(", ")} wanted`);
  });
}

/** A list: repeated flags, a TOML list, or one text with commas or white space between. */
export function listSchema<T>(item: Schema<T>): Schema<readonly T[]> {
  return reader((input) => {
    const parts = (Array.isArray(input) ? input : [input])
      .flatMap((part) => typeof part === "string" ? part.split(/[\s,]+/) : [part])
      .filter((part) => part !== "");
    return parts.map((part) => {
      const result = v.safeParse(item, part);
      if (result.success) return result.output;
      throw new SyntaxError(`${result.issues[0].message}, "${String(part)}" found`);
    });
  });
}

/** A multiaddr, checked for its form only: libp2p, which reads it, loads later. */
export const multiaddrSchema: Schema<string> = reader((input) => {
  const text = String(input).trim();
  if (/^(\/[a-z0-9][a-z0-9-]*(\/[^/\s]+)?)+$/i.test(text) && text.length <= 512) return text;
  throw new SyntaxError("a multiaddr such as /ip4/192.0.2.7/tcp/4001 wanted");
});

/** A multiaddr that ends with `/p2p/<peer id>`. */
export const peerAddressSchema: Schema<string> = reader((input) => {
  const text = v.parse(multiaddrSchema, input);
  if (/\/p2p\/[1-9A-HJ-NP-Za-km-z]{40,64}$/.test(text)) return text;
  throw new SyntaxError("a multiaddr that ends with /p2p/ and the peer id wanted");
});

/** A libp2p peer id in base58, checked for its form only. */
export const peerIdSchema: Schema<string> = reader((input) => {
  const text = String(input).trim();
  if (/^[1-9A-HJ-NP-Za-km-z]{40,64}$/.test(text)) return text;
  throw new SyntaxError("a peer id such as 12D3KooW… wanted");
});

/** A WebSocket URL of a Nostr relay, without user or password. */
export const relayUrlSchema: Schema<string> = reader((input) => {
  const url = URL.parse(String(input).trim());
  const isWebSocket = url?.protocol === "ws:" || url?.protocol === "wss:";
  if (url !== null && isWebSocket && url.username === "" && url.hash === "") return url.href;
  throw new SyntaxError(
    "a relay URL such as wss://relay.example.org or ws://127.0.0.1:7777 wanted",
  );
});

/** An `http:` or `https:` URL without user, password, query or fragment, and without a slash at the end. */
export const httpUrlSchema: Schema<string> = reader((input) => {
  const url = URL.parse(String(input).trim());
  const isHttp = url?.protocol === "http:" || url?.protocol === "https:";
  if (url !== null && isHttp && !url.username && !url.password && !url.search && !url.hash) {
    return url.href.replace(/\/$/, "");
  }
  throw new SyntaxError("a URL such as https://cdn.example.org wanted");
});

/** An IP address. */
export const ipAddressSchema: Schema<string> = reader((input) => {
  const text = String(input).trim();
  if (isIP(text) !== 0) return text;
  throw new SyntaxError("an IP address such as 192.0.2.7 or 2001:db8::7 wanted");
});

/** 64 hex digits: a public key of the fleet. */
export const publicKeySchema: Schema<string> = reader((input) => {
  const text = String(input).trim().toLowerCase();
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new SyntaxError("64 hex digits wanted");
});

/** Where to listen. */
export interface HostPort {
  readonly hostname: string;
  readonly port: number;
}

/** `host:port`, `[::1]:port` or a port alone, which means 127.0.0.1. */
export const hostPortSchema: Schema<HostPort> = reader(readHostPort);

/** As {@link hostPortSchema}, and the host must be this machine itself. */
export const loopbackSchema: Schema<HostPort> = reader((input) => {
  const address = readHostPort(input);
  if (/^(127(\.\d{1,3}){3}|::1|localhost)$/.test(address.hostname)) return address;
  throw new SyntaxError("an address of this machine itself, such as 127.0.0.1:9301, wanted");
});

function readHostPort(input: unknown): HostPort {
  const match = /^(?:(\[[0-9a-f:.]+\]|[^\s:[\]]+):)?(\d{1,5})$/i.exec(String(input).trim());
  const port = Number(match?.[2] ?? NaN);
  if (!(port <= 65_535)) {
    throw new SyntaxError("host:port such as 127.0.0.1:9301 or [::1]:9301 wanted");
  }
  return { hostname: (match![1] ?? "127.0.0.1").replace(/^\[|\]$/g, ""), port };
}

/** `info`, or `info,swarm=debug,net=warning`: a level, and levels by category. */
export const logLevelSchema: Schema<LogLevels> = reader((input) => {
  const levels: { base: LogLevel; byCategory: Record<string, LogLevel> } = {
    base: "info",
    byCategory: {},
  };
  for (const part of String(input).split(",").map((text) => text.trim()).filter(Boolean)) {
    const [left, right] = part.split("=");
    const level = LOG_LEVELS.find((name) => name === (right ?? left)!.toLowerCase());
    if (level === undefined || left === "" || part.split("=").length > 2) {
      throw new SyntaxError(
        `a level (${LOG_LEVELS.join(", ")}), or levels by category such as info,net=debug, wanted`,
      );
    }
    if (right === undefined) levels.base = level;
    else levels.byCategory[left!] = level;
  }
  return levels;
});

/** From the most to the least talkative. */
export const LOG_LEVELS = ["trace", "debug", "info", "warning", "error"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** What is logged: `base`, except for the categories that have a level of their own. */
export interface LogLevels {
  readonly base: LogLevel;
  readonly byCategory: Readonly<Record<string, LogLevel>>;
}
