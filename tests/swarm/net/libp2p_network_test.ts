import { testNetwork } from "../../conformance/network.ts";
import { startNetwork, STOCK_STACK } from "../../support/libp2p.ts";

// libp2p keeps a BroadcastChannel and timers of its queues: these files opt out of the sanitizers.
Deno.test.sanitizer({ ops: false, resources: false });

testNetwork("Libp2pNetwork", async () => {
  const [alice, bob] = await Promise.all([startNetwork(1), startNetwork(2)]);
  return { alice, bob };
});

testNetwork("Libp2pNetwork on the stock stack", async () => {
  const [alice, bob] = await Promise.all([
    startNetwork(1, STOCK_STACK),
    startNetwork(2, STOCK_STACK),
  ]);
  return { alice, bob };
});

testNetwork("Libp2pNetwork from our stack to the stock one", async () => {
  const [alice, bob] = await Promise.all([startNetwork(1), startNetwork(2, STOCK_STACK)]);
  return { alice, bob };
});
