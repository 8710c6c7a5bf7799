/**
 * The machine below the container engines: running programs (argument lists only, bounded, with clear
 * errors) and small files that survive a crash.
 *
 * May import `src/core`.
 */
export {
  type CommandOptions,
  type CommandResult,
  failed,
  isInstalled,
  mustRun,
  runCommand,
} from "./command.ts";
export {
  type DiskFacts,
  diskOf,
  isThere,
  readIfThere,
  removeTree,
  syncDisk,
  writeWhole,
} from "./files.ts";
