/**
 * Installs nutshell into a virtual environment below `target/`, once for each list of requirements and
 * version of Python.
 *
 *     deno run -A tests/interop/nutshell/install.ts
 */
import { createHash } from "node:crypto";

/** The version of nutshell in `requirements.txt`. */
export const NUTSHELL_VERSION = "0.21.0";

const REQUIREMENTS = new URL("requirements.txt", import.meta.url);
const WORK = new URL("../../../target/interop/nutshell/", import.meta.url);

/** The whole installation, in milliseconds; one minute is usual. */
const INSTALL_MS_MAX = 5 * 60_000;

/** What came of the installation. */
export type Installed =
  | { readonly bin: string }
  /** It cannot be had here, and why. */
  | { readonly skipped: string };

/** Installs it unless it is there already. */
export async function installNutshell(): Promise<Installed> {
  const version = await run("python3", [
    "-c",
    "import sys, venv, ensurepip; print('%d.%d.%d' % sys.version_info[:3])",
  ]);
  if (!version.success) return { skipped: "python3 with venv is not installed" };
  const [major, minor] = version.output.trim().split(".").map(Number);
  if (major !== 3 || minor! < 10) return { skipped: "nutshell needs Python 3.10 or newer" };
  const digest = createHash("sha256").update(await Deno.readFile(REQUIREMENTS))
    .update(version.output).digest("hex").slice(0, 12);
  const venv = new URL(`venv-${digest}/`, WORK);
  const done = new URL("installed", venv);
  if (!await exists(done)) {
    await Deno.remove(venv, { recursive: true }).catch(() => {});
    await Deno.mkdir(WORK, { recursive: true });
    const made = await run("python3", ["-m", "venv", venv.pathname]);
    if (!made.success) return { skipped: `no virtual environment: ${lastLine(made.output)}` };
    const args = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"];
    const pip = await run(new URL("bin/python", venv).pathname, [
      ...["-m", "pip", "install", ...args, "-r", REQUIREMENTS.pathname],
    ]);
    if (!pip.success) return { skipped: `pip cannot install it: ${lastLine(pip.output)}` };
    await Deno.writeTextFile(done, `${NUTSHELL_VERSION}\n`);
  }
  return { bin: new URL("bin/", venv).pathname };
}

async function run(
  command: string,
  args: readonly string[],
): Promise<{ readonly success: boolean; readonly output: string }> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(INSTALL_MS_MAX),
    }).output();
    const text = new TextDecoder();
    return { success, output: success ? text.decode(stdout) : text.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { success: false, output: "not found" };
    throw error;
  }
}

async function exists(path: URL): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

if (import.meta.main) {
  const installed = await installNutshell();
  console.log("bin" in installed ? `nutshell ${NUTSHELL_VERSION} is installed` : installed.skipped);
  Deno.exit("bin" in installed ? 0 : 1);
}
