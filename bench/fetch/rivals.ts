/** What our fetch is measured against: `curl -o` from nginx, over HTTP and HTTPS. */

/** A running nginx that serves one directory. */
export interface Nginx extends AsyncDisposable {
  readonly http: string;
  readonly https: string;
}

const NGINX_PATHS = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/bin/nginx"];

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Starts nginx on loopback, or says why not. */
export async function startNginx(root: string, scratch: string): Promise<Nginx | string> {
  const found = await Promise.all(NGINX_PATHS.map(isThere));
  const path = NGINX_PATHS[found.indexOf(true)];
  if (path === undefined) return "nginx is not installed (tests/interop/install_nginx.sh)";
  const certificate = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", `${scratch}/key.pem`, "-out", `${scratch}/cert.pem`],
      ...["-days", "2", "-subj", "/CN=localhost"],
    ],
    stderr: "null",
  }).output();
  if (!certificate.success) return "openssl made no certificate";
  const [httpPort, httpsPort] = [freePort(), freePort()];
  await Deno.writeTextFile(
    `${scratch}/nginx.conf`,
    `daemon off; pid ${scratch}/nginx.pid; error_log ${scratch}/error.log; worker_processes auto;
user root;
events {}
http {
  access_log off; sendfile on; tcp_nopush on;
  client_body_temp_path ${scratch}; proxy_temp_path ${scratch}; fastcgi_temp_path ${scratch};
  uwsgi_temp_path ${scratch}; scgi_temp_path ${scratch};
  server {
    listen 127.0.0.1:${httpPort};
    listen 127.0.0.1:${httpsPort} ssl;
    ssl_certificate ${scratch}/cert.pem; ssl_certificate_key ${scratch}/key.pem;
    ssl_protocols TLSv1.3;
    root ${root};
  }
}
`,
  );
  const child = new Deno.Command(path, {
    args: ["-c", `${scratch}/nginx.conf`, "-p", scratch],
    stdout: "null",
    stderr: "null",
  }).spawn();
  for (let attempt = 0; attempt < 100; attempt++) {
    const socket = await Deno.connect({ port: httpsPort }).catch(() => undefined);
    socket?.close();
    if (socket !== undefined) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    http: `http://127.0.0.1:${httpPort}`,
    https: `https://127.0.0.1:${httpsPort}`,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

/** Milliseconds that `curl -o` takes for `url`, its start included. */
export async function curlMs(url: string, target: string): Promise<number> {
  const startMs = performance.now();
  const { success } = await new Deno.Command("curl", { args: ["-sk", "-o", target, url] }).output();
  if (!success) throw new Error(`curl failed for ${url}`);
  return performance.now() - startMs;
}
