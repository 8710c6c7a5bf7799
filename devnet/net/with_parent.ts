/**
 * Loaded into each process of the development network before its own code (`--preload`): when whoever
 * started it is gone, however that came about, the process is told to stop, and is gone soon after.
 * So nothing outlives a network that was killed.
 */
const CHECK_MS = 500;
const GRACE_MS = 5000;

/** The process that must live; an orphan gets another parent. */
const parentPid = Number(Deno.env.get("DEVNET_PARENT_PID") ?? Deno.ppid);

function check(): void {
  if (Deno.ppid === parentPid) return;
  clearInterval(interval);
  // Without a listener SIGTERM ends the process at once, which is as good.
  Deno.unrefTimer(setTimeout(() => Deno.exit(1), GRACE_MS));
  Deno.kill(Deno.pid, "SIGTERM");
}

const interval = setInterval(check, CHECK_MS);
Deno.unrefTimer(interval);
