/**
 * Making a machine lend, and taking all of it away again: settings of a Paygress provider taken over,
 * what is missing said, data removed. A *finding* is one thing that was looked at.
 *
 * May import: `src/core`, `src/app`, `provisioning`.
 */
export {
  clearEngine,
  type DataPart,
  lookAtData,
  type NodeData,
  removeData,
  takeLocks,
} from "./data.ts";
export { askEngine, type EngineFacts, examineLending, type Finding } from "./examine.ts";
export { type Imported, importFiles } from "./import.ts";
