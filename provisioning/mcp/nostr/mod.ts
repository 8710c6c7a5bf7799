/**
 * MCP over Nostr, as ContextVM speaks it: messages in events, encrypted to the server, from allowed
 * keys only.
 *
 * May import: `src/core`, `src/nostr`, and of `provisioning/mcp` its limits and `sdk.ts`.
 */
export { ContextVm, type ContextVmOptions } from "./context_vm.ts";
export { KIND_MESSAGE, KIND_WRAP, KIND_WRAP_EPHEMERAL } from "./events.ts";
