import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { checkPortsFree, checkSpec } from "../../../../provisioning/backends/host/mod.ts";
import type { InstanceSpec } from "../../../../provisioning/ports.ts";

function specOf(ports: InstanceSpec["ports"], more: Partial<InstanceSpec> = {}): InstanceSpec {
  return {
    leaseId: "container-1000",
    ssh: { hostPort: freePort() },
    resources: { cpuMillicores: 100, memoryMb: 64, diskMb: 64 },
    ports,
    ...more,
  } as InstanceSpec;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

function port(hostPort: number, protocol: "tcp" | "udp") {
  return { label: "web", containerPort: 80, hostPort, protocol };
}

Deno.test("a lease takes no port of the host's own services, of TCP or of UDP", async () => {
  const socket = createSocket("udp4");
  const { promise: bound, resolve } = Promise.withResolvers<void>();
  socket.bind(0, "127.0.0.1", resolve);
  await bound;
  const used = socket.address().port;
  try {
    assert.throws(() => checkPortsFree(specOf([port(used, "udp")])), { code: "conflict" });
  } finally {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    socket.close(resolve);
    await closed;
  }
  checkPortsFree(specOf([port(used, "udp")]));
  {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port: taken } = listener.addr as Deno.NetAddr;
    assert.throws(() => checkPortsFree(specOf([port(taken, "tcp")])), { code: "conflict" });
  }
});

Deno.test("checkSpec() takes no port below 1024 of the host, and no name that leads elsewhere", () => {
  for (const hostPort of [0, 22, 80, 1023, 65_536, 1.5, NaN]) {
    assert.throws(() => checkSpec(specOf([port(hostPort, "tcp")])), { code: "invalid" });
  }
  for (const leaseId of ["../etc", "container-1/..", "container-1\n", "container-", "x"]) {
    assert.throws(() => checkSpec(specOf([], { leaseId })), { code: "invalid" }, leaseId);
  }
  checkSpec(specOf([port(30_000, "udp")]));
});
