/** The door to the official SDK of the Model Context Protocol: nothing else imports it. */
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import type {
  Transport,
  TransportSendOptions,
} from "@modelcontextprotocol/sdk/shared/transport.js";
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import {
  type CallToolRequest,
  CallToolRequestSchema,
  type CallToolResult,
  type JSONRPCMessage,
  JSONRPCMessageSchema,
  ListToolsRequestSchema,
  type ServerNotification,
  type ServerRequest,
  type Tool,
} from "@modelcontextprotocol/sdk/types.js";

/** What a handler gets beside the request. */
export type McpExtra = RequestHandlerExtra<ServerRequest, ServerNotification>;

export {
  type CallToolRequest,
  CallToolRequestSchema,
  type CallToolResult,
  type JSONRPCMessage,
  ListToolsRequestSchema,
  Server as McpServer,
  StdioServerTransport,
  type Tool as McpTool,
  type Transport,
  type TransportSendOptions,
};

/** Reads a message of JSON-RPC strictly; undefined for anything else. */
export function readRpc(value: unknown): JSONRPCMessage | undefined {
  const result = JSONRPCMessageSchema.safeParse(value);
  return result.success ? result.data : undefined;
}
