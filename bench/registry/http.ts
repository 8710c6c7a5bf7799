/** Requests of the bench, and what they took. */

/** A response whose body was read away. @throws {Error} Unless it has `status`. */
export async function responseOf(
  url: string,
  status: number,
  init?: RequestInit,
): Promise<Response> {
  const response = await fetch(url, init);
  const text = await response.text();
  if (response.status === status) return response;
  throw new Error(`${init?.method ?? "GET"} ${url}: ${response.status} ${text.slice(0, 300)}`);
}

/** Milliseconds until the last byte of `url` is here; it is not kept. */
export async function readMs(url: string): Promise<number> {
  const startMs = performance.now();
  const response = await fetch(url);
  if (response.status !== 200) throw new Error(`${url}: ${response.status}`);
  for await (const _ of response.body!);
  return performance.now() - startMs;
}

/** Milliseconds that curl takes to read `url` so many times at one time, and throws away. */
export async function manyCurlMs(url: string, count: number): Promise<number> {
  const startMs = performance.now();
  const { success, stderr } = await new Deno.Command("curl", {
    args: ["-sfSZ", "--parallel-max", `${count}`, "-o", "/dev/null", `${url}?[1-${count}]`],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`curl failed: ${new TextDecoder().decode(stderr).slice(0, 300)}`);
  return performance.now() - startMs;
}
