/**
 * The admin interface over HTTP: `POST /admin/NAME` with a JSON array of the arguments of the method
 * `NAME` of {@link DevMintAdmin} (kebab case works, too); `GET /admin/books`, `/admin/requests` and
 * `/admin/faults`. Answers `{"result": ...}`; whole numbers, however large, are numbers.
 */
import { messageOf } from "../../src/core/errors.ts";
import { DevMintAdmin } from "./admin.ts";

const READ: readonly string[] = ["books", "requests", "faults"];

const METHODS: ReadonlySet<string> = new Set(
  Object.getOwnPropertyNames(DevMintAdmin.prototype).filter((name) => name !== "constructor"),
);

/** Calls a method of the admin interface. */
export async function answerAdmin(admin: DevMintAdmin, request: Request): Promise<Response> {
  const url = new URL(request.url);
  const name = url.pathname.replace(/^\/admin\//, "").replace(
    /-([a-z])/g,
    (_, letter: string) => letter.toUpperCase(),
  );
  const isRead = request.method === "GET" && READ.includes(name);
  if (!METHODS.has(name) || (!isRead && request.method !== "POST")) {
    return Response.json({ error: `No ${request.method} ${url.pathname} here` }, { status: 404 });
  }
  try {
    const args = isRead ? [...url.searchParams.values()] : await argumentsOf(request);
    const method = admin[name as keyof DevMintAdmin] as (...args: unknown[]) => unknown;
    const result = await method.apply(admin, args);
    const text = JSON.stringify(
      { result },
      (_, value) => typeof value === "bigint" ? Number(value) : value,
    );
    return new Response(text, { headers: { "content-type": "application/json" } });
  } catch (error) {
    return Response.json({ error: messageOf(error) }, { status: 400 });
  }
}

async function argumentsOf(request: Request): Promise<unknown[]> {
  const text = await request.text();
  if (text.trim() === "") return [];
  const value: unknown = JSON.parse(text);
  return Array.isArray(value) ? value : [value];
}
