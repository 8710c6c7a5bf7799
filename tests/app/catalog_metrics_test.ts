import assert from "node:assert/strict";
import { cascadeNumbers } from "../../src/app/cascade_metrics.ts";
import { CatalogMetrics } from "../../src/app/catalog_metrics.ts";
import { Registry } from "../../src/app/prometheus.ts";

Deno.test("metrics tell how followed catalogs fare, and what a fleet reads together", async () => {
  const registry = new Registry();
  const metrics = new CatalogMetrics([registry], () => [
    { root: "acme", catalog: "tools", accepted: { sequence: 7, ageS: 60, leftS: -5 } },
    { root: "acme", catalog: "films" },
  ]);
  const figures = { upstreamBytes: 10, memberBytes: 20, sentBytes: 30, underWayCount: 2 };
  cascadeNumbers([registry], () => figures);
  metrics.refused("tools", ["rollback", "rollback"]);
  const text = await registry.metrics();
  for (
    const line of [
      'seedmint_catalog_sequence{root="acme",catalog="tools"} 7',
      'seedmint_catalog_age_seconds{root="acme",catalog="tools"} 60',
      'seedmint_catalog_expires_seconds{root="acme",catalog="tools"} -5',
      'seedmint_catalogs_followed{state="accepted"} 1',
      'seedmint_catalogs_followed{state="missing"} 1',
      'seedmint_catalog_refused_total{catalog="tools",reason="rollback"} 2',
      'seedmint_cascade_bytes_total{way="members"} 20',
      "seedmint_cascade_under_way 2",
    ]
  ) assert.ok(text.split("\n").includes(line), `${line} in\n${text}`);
});
