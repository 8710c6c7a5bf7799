/** The key of the setting `lessee-key`: one that people have already. */
import { messageOf, SeedmintError } from "../../../core/errors.ts";
import type { SshKey, SshKeyPlace } from "../../../../provisioning/consumer/mod.ts";
import { readPublicKey } from "../../../../provisioning/ssh/mod.ts";

/** A key file that is there, with its public half in `path.pub`. */
export function sshKeyOf(path: string): SshKeyPlace {
  return {
    get: async (): Promise<SshKey> => {
      try {
        await Deno.stat(path);
        const [line = ""] = (await Deno.readTextFile(`${path}.pub`)).split("\n");
        return { publicKey: readPublicKey(line), path };
      } catch (error) {
        throw new SeedmintError(
          "usage",
          `Cannot use the SSH key ${path} of lessee-key: ${
            messageOf(error)
          }; it and ${path}.pub must ` +
            "be there: ssh-keygen -t ed25519 makes both",
        );
      }
    },
  };
}
