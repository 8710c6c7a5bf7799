import assert from "node:assert/strict";
import { isSeedmintError } from "../../../../src/core/errors.ts";
import { systemRandom } from "../../../../src/host/system.ts";
import { policyObject } from "../../../../provisioning/backends/kubernetes/egress.ts";
import { diskUsedMb, readStats } from "../../../../provisioning/backends/kubernetes/inside.ts";
import {
  namespaceObject,
  type ObjectOptions,
  quotaObject,
  secretObject,
  serviceObject,
  templateObject,
} from "../../../../provisioning/backends/kubernetes/objects.ts";
import { amountOf } from "../../../../provisioning/backends/kubernetes/quantity.ts";
import {
  manifestOf,
  RegistryPush,
} from "../../../../provisioning/backends/kubernetes/registry_push.ts";
import {
  MirroredImages,
  RegistryImages,
} from "../../../../provisioning/backends/kubernetes/mod.ts";
import { makeSpec } from "../../../conformance/backend.ts";
import { imageOf, layerOf, sha256Of } from "../../../support/provisioning/tar.ts";

const signal = new AbortController().signal;
const image = imageOf([layerOf([{ name: "a", content: "b" }])], { entrypoint: ["/bin/serve"] });
const options: ObjectOptions = {
  pool: "default",
  image: "r/lease@sha256:01",
  serverImage: "r/ssh@sha256:02",
  exposure: "node-port",
  architecture: "amd64",
  nameServers: ["9.9.9.9"],
  nodeSelector: { leases: "yes" },
  hasUserNamespace: true,
  random: systemRandom,
};
const port = { hostPort: 30_009, containerPort: 8000, protocol: "udp", label: "x" } as const;
const specOf = () => makeSpec({ image, firstPort: 30_000 }, { ports: [port] });

Deno.test("templateObject() gives a pod no right that SSH does not need", async () => {
  const { spec } = templateObject(await specOf(), { ...options, longestLeaseMs: 90_500 }).template!;
  const { hostUsers, restartPolicy, activeDeadlineSeconds, nodeSelector } = spec!;
  assert.deepEqual({ hostUsers, restartPolicy, activeDeadlineSeconds }, {
    ...{ hostUsers: false, restartPolicy: "Never", activeDeadlineSeconds: 91 },
  });
  assert.deepEqual(nodeSelector, { "kubernetes.io/arch": "amd64", leases: "yes" });
  assert.equal(spec!.automountServiceAccountToken, false);
  assert.equal(spec!.enableServiceLinks, false);
  assert.deepEqual(spec!.volumes!.map((it) => Object.keys(it)[1]), ["emptyDir", "secret"]);
  for (const container of [...spec!.containers, ...spec!.initContainers!]) {
    const { allowPrivilegeEscalation, privileged, capabilities, seccompProfile } = container
      .securityContext!;
    assert.equal(allowPrivilegeEscalation, false);
    assert.equal(privileged, false);
    assert.deepEqual(capabilities!.drop, ["ALL"]);
    assert.deepEqual(seccompProfile, { type: "RuntimeDefault" });
    assert.deepEqual(container.resources!.requests, container.resources!.limits);
    assert.ok(container.ports?.every(({ hostPort }) => hostPort === undefined) ?? true);
  }
  const added = spec!.containers[0]!.securityContext!.capabilities!.add!;
  assert.ok(!added.some((name) => /ADMIN|RAW|PTRACE|MODULE|CAP_|MKNOD/.test(name)));
  assert.equal(spec!.initContainers![0]!.securityContext!.runAsNonRoot, true);
});

Deno.test("a lease's environment and keys are in its secret alone", async () => {
  const spec = { ...await specOf(), env: { COLOUR: "g$(HOME)r'een" } };
  const data = secretObject(spec, options).data!;
  assert.equal(atob(data["env-0"]!), "g$(HOME)r'een");
  assert.match(atob(data.first_process!), /ssh-ed25519 /);
  const others = [namespaceObject, quotaObject, serviceObject, templateObject]
    .map((make) => JSON.stringify(make(spec, options))).join();
  assert.ok(!others.includes("r'een") && !others.includes("ssh-ed25519"));
});

Deno.test("namespaceObject() holds the baseline unless the node's own ports are published", async () => {
  const level = (exposure: "node-port" | "host-port", spec: Awaited<ReturnType<typeof specOf>>) =>
    namespaceObject(spec, { ...options, exposure }).metadata!
      .labels!["pod-security.kubernetes.io/enforce"];
  const spec = await specOf();
  assert.equal(level("node-port", spec), "baseline");
  assert.equal(level("host-port", spec), "privileged");
  assert.equal(serviceObject(spec, { ...options, exposure: "host-port" }), undefined);
  assert.deepEqual(
    serviceObject(spec, options)!.spec!.ports.map((it) => [it.nodePort, it.protocol]),
    [
      [spec.ssh.hostPort, "TCP"],
      [30_009, "UDP"],
    ],
  );
  assert.equal(quotaObject(spec, options).spec!.hard["services.nodeports"], "2");
});

Deno.test("policyObject() closes private ranges, and ports of mail where it can", async () => {
  const spec = await specOf();
  const policy = policyObject(spec, { minor: 30, closedRanges: ["8.8.8.0/24"] }).spec!;
  const [rule] = policy.egress;
  for (const range of ["10.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "8.8.8.0/24"]) {
    assert.ok(rule!.to[0]!.ipBlock.except.includes(range), range);
  }
  const isOpen = (number: number) =>
    rule!.ports!.some(({ protocol, port, endPort }) =>
      protocol === "TCP" && port <= number && number <= endPort!
    );
  for (const closed of [25, 465, 587, 2525]) assert.ok(!isOpen(closed), `${closed}`);
  for (const open of [1, 24, 26, 443, 2526, 65_535]) assert.ok(isOpen(open), `${open}`);
  assert.deepEqual(policy.ingress[0]!.ports.map(({ port }) => port), [10_022, 8000]);
  assert.equal(policyObject(spec, { minor: 20 }).spec!.egress[0]!.ports, undefined);
});

Deno.test("amountOf() reads quantities, and takes nothing for what it cannot read", () => {
  const amounts = { "250m": 0.25, "2": 2, "1.5": 1.5, "15Gi": 15 * 2 ** 30, "2e3": 2000 };
  const more = { "1E": 1e18, "100k": 1e5, "12345678Ki": 12345678 * 1024, "5x": 0, "": 0 };
  for (const [text, amount] of Object.entries({ ...amounts, ...more })) {
    assert.equal(amountOf(text), amount, text);
  }
  assert.equal(amountOf(undefined), 0);
});

Deno.test("readStats() reads both versions of control groups, and survives nonsense", () => {
  const net = "net eth0 100 1 0 0 0 0 0 0 200 2 0\n";
  const old = readStats(`cpu_ns 5000000\ncpu_us \nmemory 2097152\npids 3\n${net}`);
  assert.deepEqual(old, { cpuMs: 5, memoryMb: 2, pidCount: 3, rxBytes: 100, txBytes: 200 });
  assert.equal(readStats("cpu_us 7000\n").cpuMs, 7);
  for (const amount of Object.values(readStats("cpu_ns x\nnet a b -1\n\0"))) {
    assert.equal(amount, 0);
  }
  const summary = { pods: [{ podRef: { namespace: "n" }, "ephemeral-storage": { usedBytes: 1 } }] };
  assert.equal(diskUsedMb(summary, "n"), 1);
  assert.equal(diskUsedMb({ pods: [null, 5] }, "n"), undefined);
  assert.equal(diskUsedMb("", "n"), undefined);
});

Deno.test("MirroredImages names an image by its digest, whatever its tag", () => {
  const images = new MirroredImages();
  const digest = image.digest;
  for (const name of ["docker.io/library/debian:12", "docker.io/library/debian", "h:5000/a/b:1"]) {
    const bare = name.replace(/:[^:/]+$/, "");
    assert.equal(images.referenceOf({ ...image, name }), `${bare}@sha256:${digest}`);
  }
  assert.throws(() => images.referenceOf({ ...image, name: "$(x)" }), /name of a registry/);
});

Deno.test("RegistryImages puts into a registry what is not in it, once, and nowhere else", async () => {
  const kept = new Map<string, string>();
  let location = "/v2/leases/seedmint/blobs/uploads/1?state=x";
  const calls: string[] = [];
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const url = new URL(request.url);
      calls.push(request.method);
      assert.equal(request.headers.get("authorization"), `Basic ${btoa("me:secret")}`);
      const body = await request.bytes();
      if (request.method === "POST") {
        return new Response(null, { status: 202, headers: { location } });
      }
      if (request.method === "PUT") {
        const digest = url.searchParams.get("digest") ?? url.pathname.split("/").at(-1)!;
        if (digest !== `sha256:${sha256Of(body)}`) return new Response("bad", { status: 400 });
        kept.set(digest, url.pathname);
        return new Response(null, { status: 201 });
      }
      return new Response(null, { status: kept.has(url.pathname.split("/").at(-1)!) ? 200 : 404 });
    },
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  const credentials = { username: "me", password: "secret" };
  const images = new RegistryImages({ url, pullFrom: "reg.test:5000/leases", credentials });
  const digest = sha256Of(manifestOf(image).manifest);
  assert.equal(images.referenceOf(image), `reg.test:5000/leases/seedmint@sha256:${digest}`);
  await images.publish(image, { signal });
  assert.equal(kept.size, 3, "a layer, its configuration and a manifest");
  assert.equal(kept.get(`sha256:${digest}`), `/v2/leases/seedmint/manifests/sha256:${digest}`);
  const count = calls.length;
  await images.publish(image, { signal });
  assert.equal(calls.length, count);
  // Another provider's process finds it there.
  await new RegistryImages({ url, pullFrom: "reg.test:5000/leases", credentials })
    .publish(image, { signal });
  assert.deepEqual(calls.slice(count), ["HEAD"]);
  kept.clear();
  location = "http://192.0.2.1/elsewhere";
  const push = new RegistryPush({ url, repository: "seedmint", credentials });
  await assert.rejects(push.push(image, { signal }), (error) => {
    assert.ok(!String(error).includes("secret"));
    return isSeedmintError(error, "unavailable");
  });
});
