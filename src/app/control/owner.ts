/** Whether a control socket below /tmp, where anybody may make a directory first, is the user's own. */
import { dirname } from "node:path";
import { isOwnDirectory, socketPath } from "./paths.ts";

/**
 * Whether the socket's directory was made by somebody else than the owner of the data: whoever owns
 * it could answer in the node's place, and be told what verbs tell the node. What does not exist is
 * nobody's yet.
 */
export async function isForeignSocket(dataDirectory: string): Promise<boolean> {
  const path = socketPath(dataDirectory);
  if (!isOwnDirectory(path)) return false;
  const directory = await orNothing(Deno.lstat(dirname(path)));
  if (directory === undefined) return false;
  const data = await orNothing(Deno.stat(dataDirectory));
  const isOwned = directory.uid === 0 || (data !== undefined && directory.uid === data.uid);
  return !isOwned || !directory.isDirectory || ((directory.mode ?? 0) & 0o077) !== 0;
}

async function orNothing(found: Promise<Deno.FileInfo>): Promise<Deno.FileInfo | undefined> {
  try {
    return await found;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
