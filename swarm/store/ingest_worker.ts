/** The entry of an ingest worker: verifies and writes, off the main thread. */
import { Files } from "./files.ts";
import { IngestDesk } from "./ingest_desk.ts";
import type { IngestRequest } from "./ingest_protocol.ts";

/** The part of a worker's global scope that is used. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<IngestRequest>) => void) | null;
  postMessage(message: unknown, transfer: Transferable[]): void;
}

const scope = globalThis as unknown as WorkerScope;
const desk = new IngestDesk(new Files());

scope.onmessage = ({ data: request }) => {
  const answer = desk.handle(request);
  scope.postMessage(answer, answer.slab === undefined ? [] : [answer.slab]);
};
