/** No image and no lessee decides whether our SSH answers; on the real runc, started by banner_test.ts. */
import assert from "node:assert/strict";
import { busyboxImage } from "../../support/provisioning/busybox_image.ts";
import { systemClock } from "../../../src/host/system.ts";
import { RuncBackend } from "../../../provisioning/backends/runc/mod.ts";
import { host, LeaseWorld, optionsFor } from "../backends/runc/lease_world.ts";

const signal = new AbortController().signal;

Deno.test("a lease's SSH answers whatever its environment and its image tell the loader", async () => {
  await using world = await LeaseWorld.open();
  const env = { LD_TRACE_LOADED_OBJECTS: "1", LD_PRELOAD: "/x.so", GLIBC_TUNABLES: "x=y", A: "b" };
  const image = await busyboxImage({ cmd: ["sh", "-c", "echo $LD_PRELOAD; exec sleep 60"] }, [
    { name: "etc/ld.so.preload", content: "/x.so\n" },
  ]);
  const spec = await world.lease({ env, image });
  const seen = await world.sh(spec, "echo $LD_PRELOAD $GLIBC_TUNABLES $A; ls /etc");
  const [first, ...names] = seen.stdout.trim().split("\n");
  assert.equal(first, "/x.so x=y b", "commands have all of it");
  assert.ok(!names.includes("ld.so.preload"));
  for (let tries = 0; tries < 100; tries++) {
    if ((await world.backend.logs(spec.leaseId, { lineCount: 9 })).includes("/x.so\n")) return;
    await systemClock.sleep(50);
  }
  assert.fail("the image's own command has not what it asked for, or was not started");
});

Deno.test("what an image runs does not begin before SSH answers", async () => {
  await using world = await LeaseWorld.open();
  const image = await busyboxImage({ cmd: ["sh", "-c", "echo begun; exec sleep 60"] });
  const spec = await world.spec({ image });
  await world.backend.create(spec, { signal });
  // The server waits for a reader of its process id, and answers nobody until then.
  const root = `${world.stateDir}/leases/${spec.leaseId}/rootfs`;
  await host("mkdir", "-p", `${root}/var/run`);
  await host("mkfifo", "-m", "666", `${root}/var/run/dropbear.pid`);
  await world.backend.start(spec.leaseId);
  const said = () => world.backend.logs(spec.leaseId, { lineCount: 9 });
  await systemClock.sleep(700);
  assert.equal(await said(), "");
  await world.sh(spec, "cat /var/run/dropbear.pid");
  for (let tries = 0; tries < 100 && await said() === ""; tries++) await systemClock.sleep(50);
  assert.equal(await said(), "begun\n");
});

Deno.test("a command that a killed provider had still to start is started by the next one, once", async () => {
  await using world = await LeaseWorld.open();
  const image = await busyboxImage({ cmd: ["sh", "-c", "echo begun; exec sleep 60"] });
  const spec = await world.lease({ image });
  const due = `${world.stateDir}/leases/${spec.leaseId}/command-due`;
  const said = () => world.backend.logs(spec.leaseId, { lineCount: 9 });
  const until = async (text: string) => {
    const isThere = () => Deno.stat(due).then(() => true, () => false);
    for (let tries = 0; tries < 100 && (await said() !== text || await isThere()); tries++) {
      await systemClock.sleep(50);
    }
    assert.deepEqual([await said(), await isThere()], [text, false]);
  };
  await until("begun\n");
  await using next = await RuncBackend.open(optionsFor(world.stateDir));
  assert.deepEqual(await next.repair(), []);
  await systemClock.sleep(300);
  await until("begun\n");
  // As a process leaves it that was killed while it waited for SSH.
  await Deno.writeTextFile(due, "");
  await next.repair();
  await until("begun\nbegun\n");
});
