/** Started by run.ts in a lab: its first arguments are a directory and the program. */
import { finish } from "../blossom/suite.ts";
import { LeaseLab } from "../../e2e/lease/lab.ts";
import { furnish } from "../engines/lab.ts";
import { clientCases } from "./client_cases.ts";
import { providerCases } from "./provider_cases.ts";

const [directory, program] = Deno.args as [string, string];
const only = Deno.args.find((word) => word.startsWith("--only="))?.slice("--only=".length);
await furnish(directory);
{
  await using lab = await LeaseLab.open();
  const ground = { directory, program, lab };
  if (only !== "client") await providerCases(ground);
  if (only !== "provider") await clientCases(ground);
}
finish();
