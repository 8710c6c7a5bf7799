/**
 * What is said over HTTP is what is said in messages, member for member: a request is read by
 * `readRequest`, an answer written by `buildAnswer`. This file adds only what HTTP clients of Paygress
 * know by another name or leave out (seed-systems 1.9), and what an error is as a status.
 */
import {
  type AccessAnswer,
  type Answer,
  buildAnswer,
  type ErrorAnswer,
  type ErrorType,
  type Request,
  WIRE_LIMITS,
} from "../wire/mod.ts";
import { type Members, parseMembers } from "../wire/json.ts";

/** What a path takes. */
export interface Route {
  readonly method: "GET" | "POST";
  /** The requests that may come here; absent where nothing is asked of the desk. */
  readonly types?: readonly Request["type"][];
}

const ANY: readonly Request["type"][] = [
  "spawn",
  "topup",
  "status",
  "quote",
  "stop",
  "restart",
  "logs",
  "exec",
  "leases",
  "receipt",
];

/** Every path. */
export const ROUTES: Readonly<Record<string, Route>> = {
  "/health": { method: "GET" },
  "/offers": { method: "GET" },
  "/pods/spawn": { method: "POST", types: ["spawn"] },
  "/pods/topup": { method: "POST", types: ["topup"] },
  "/pods/status": { method: "POST", types: ["status"] },
  /** Anything that can be said in a message. */
  "/requests": { method: "POST", types: ANY },
};

/** Reads a body; an empty one is an object without members. Undefined for anything else. */
export function readBody(bytes: Uint8Array): Members | undefined {
  if (bytes.length === 0) return {};
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
  return parseMembers(text, WIRE_LIMITS.messageCharsMax);
}

/** What a spawn over HTTP need not say, as Paygress has it. */
const SPAWN_DEFAULTS: Members = {
  pod_image: "ubuntu:22.04",
  ssh_username: "root",
  ssh_password: "",
};

/** The message that a request over HTTP comes to, as text. */
export function messageText(
  members: Members,
  options: {
    readonly path: string;
    readonly token?: string;
    readonly requestId?: string;
  },
): string {
  const { path, token, requestId } = options;
  return JSON.stringify({
    ...path === "/pods/spawn" ? SPAWN_DEFAULTS : {},
    ...members,
    ...token === undefined ? {} : { cashu_token: token },
    ...requestId === undefined || members.request_id !== undefined ? {} : { request_id: requestId },
    // Nobody is told anything later over HTTP.
    progress: undefined,
  });
}

/** The answer as members: those of the message, and the names that HTTP clients of Paygress know. */
export function answerMembers(answer: Answer): Record<string, unknown> {
  const members = JSON.parse(buildAnswer(answer)) as Record<string, unknown>;
  if (answer.type === "error") return { ...members, error: members.error_type };
  return answer.type === "access" ? { ...members, ...accessMembers(answer) } : members;
}

function accessMembers(answer: AccessAnswer): Record<string, unknown> {
  const line = answer.instructions.find((line) => line.includes("Password: "));
  const sinceMs = answer.readyMs ?? answer.expiresMs;
  return {
    success: true,
    pod_id: answer.lease,
    ssh_host: answer.host,
    ssh_port: answer.sshPort,
    username: answer.sshUsername,
    password: line?.split("Password: ")[1],
    duration_seconds: Math.max(0, Math.floor((answer.expiresMs - sinceMs) / 1000)),
    spec_name: answer.specName,
  };
}

const STATUSES: Readonly<Partial<Record<ErrorType, number>>> = {
  payment_required: 402,
  insufficient_payment: 402,
  denied: 403,
  not_found: 404,
  not_owner: 404,
  lease_expired: 410,
  race_lost: 410,
  rate_limited: 429,
  provisioning_error: 500,
  backend_error: 500,
  mint_error: 502,
  mint_network_error: 503,
  token_pending: 503,
  no_specs: 503,
  no_capacity: 503,
  draining: 503,
};

/** The status of an answer. Money that is not taken is 400, as NUT-24 has it. */
export function statusOf(answer: Answer): number {
  if (answer.type !== "error") return 200;
  if (answer.error === "not_ready") return answer.retryMs === undefined ? 409 : 503;
  return answer.error === "unknown" ? 500 : STATUSES[answer.error] ?? 400;
}

/** An error of HTTP itself. */
export function httpError(
  error: ErrorType,
  message: string,
  options: { readonly retryMs?: number } = {},
): ErrorAnswer {
  return { type: "error", error, message, ...options };
}
