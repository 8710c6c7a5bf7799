/** Debian's docker-registry: whom the mirror asks, and whom it is compared with. */

/** A running registry. */
export interface DockerRegistry extends AsyncDisposable {
  readonly url: string;
}

/**
 * Starts it on loopback with its files below `directory`, or says why not.
 *
 * @param program `docker-registry` of the package of that name, or a path to it.
 */
export async function startDockerRegistry(
  directory: string,
  program: string,
): Promise<DockerRegistry | string> {
  const port = freePort();
  const config = `${directory}/registry.yml`;
  await Deno.mkdir(`${directory}/files`, { recursive: true });
  await Deno.writeTextFile(
    config,
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${directory}/files}, cache: {blobdescriptor: inmemory}}
http: {addr: "127.0.0.1:${port}"}
`,
  );
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args: ["serve", config],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "docker-registry is not installed (the Debian package of that name)";
  }
  const url = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 100; attempt++) {
    const isUp = await fetch(`${url}/v2/`).then((it) => it.body?.cancel(), () => undefined)
      .then(() => true, () => false);
    if (isUp) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
