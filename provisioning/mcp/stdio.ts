/** MCP over stdin and stdout: one agent, that of the user who started it. */
import process from "node:process";
import { MCP_LIMITS } from "./limits.ts";
import { type McpServer, StdioServerTransport } from "./sdk.ts";

/** Serves until stdin ends or `signal` is aborted. Nothing else may write to stdout meanwhile. */
export async function serveStdio(
  server: McpServer,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const transport = new StdioServerTransport(process.stdin, process.stdout, {
    maxBufferSize: MCP_LIMITS.lineBytesMax,
  });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const { signal } = options;
  server.onclose = () => resolve();
  process.stdin.once("end", resolve);
  process.stdin.once("close", resolve);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await server.connect(transport);
  if (signal.aborted) resolve();
  await ended;
  await server.close();
}
