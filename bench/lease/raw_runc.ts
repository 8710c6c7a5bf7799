/** The same container by hand: one script of shell, ip, nsenter and runc, as a person would write it. */
import { SSH_PORT_INSIDE } from "../../provisioning/backends/host/mod.ts";
import { readBanner } from "../../provisioning/ssh/mod.ts";
import { systemClock } from "../../src/host/system.ts";
import { run } from "./run.ts";

/** What a container by hand is made of. */
export interface RawOptions {
  readonly folder: string;
  /** The unpacked image. */
  readonly imageRoot: string;
  /** The folder with dropbear and its loader. */
  readonly server: string;
  readonly config: Record<string, unknown>;
  readonly index: number;
}

/** A container by hand that has no banner by then is broken. */
const BANNER_MS_MAX = 10_000;

const SCRIPT = `set -e
folder=$1 image=$2 address=$3 host=$4 device=$5 name=$6
mkdir -p "$folder/upper" "$folder/work" "$folder/rootfs" "$folder/own"
chown 200000:200000 "$folder/upper"
chmod 755 "$folder/upper"
mount -t overlay -o "lowerdir=$image,upperdir=$folder/upper,workdir=$folder/work" raw "$folder/rootfs"
dropbearkey -t ed25519 -f "$folder/own/host_key" >/dev/null 2>&1
chown 200000:200000 "$folder/own/host_key"
runc --root "$folder/state" create --bundle "$folder" --pid-file "$folder/pid" "$name" >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
pid=$(cat "$folder/pid")
ip link add "$device" type veth peer name eth0 netns "$pid"
ip address add "$host/30" dev "$device"
ip link set "$device" up
nsenter --net="/proc/$pid/ns/net" ip link set lo up
nsenter --net="/proc/$pid/ns/net" ip address add "$address/30" dev eth0
nsenter --net="/proc/$pid/ns/net" ip link set eth0 up
runc --root "$folder/state" start "$name"
`;

/** Starts one and waits for its banner; @returns milliseconds, and what ends it. */
export async function rawRunc(
  options: RawOptions,
): Promise<{ readonly ms: number; end(): Promise<void> }> {
  const { folder, index } = options;
  const name = `raw-${index}`;
  const [address, host] = [`10.200.${index}.2`, `10.200.${index}.1`];
  const startMs = performance.now();
  await Deno.mkdir(folder, { recursive: true });
  await Deno.chmod(folder, 0o711);
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(options.config));
  const args = [folder, options.imageRoot, address, host, `raw${index}`, name];
  await run(["sh", "-c", SCRIPT, "raw", ...args]);
  for (;;) {
    try {
      await readBanner({ host: address, port: SSH_PORT_INSIDE }, { clock: systemClock });
      break;
    } catch (error) {
      if (performance.now() - startMs > BANNER_MS_MAX) {
        const log = await Deno.readTextFile(`${folder}/log`).catch(() => "");
        throw new Error(`No banner of the container by hand: ${error}; ${log}`);
      }
      await systemClock.sleep(5);
    }
  }
  const ms = performance.now() - startMs;
  return {
    ms,
    end: async () => {
      await run(["runc", "--root", `${folder}/state`, "delete", "--force", name]);
      await run(["umount", `${folder}/rootfs`]);
      await Deno.remove(folder, { recursive: true });
    },
  };
}
