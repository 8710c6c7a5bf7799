import { systemClock } from "../../../src/app/system.ts";
import { Libp2pNetwork } from "../../../swarm/net/libp2p_network.ts";
import { testNetwork } from "../../conformance/network.ts";

// libp2p keeps a BroadcastChannel and timers of its queues: these files opt out of the sanitizers.
Deno.test.sanitizer({ ops: false, resources: false });

testNetwork("Libp2pNetwork", async () => {
  const [alice, bob] = await Promise.all([1, 2].map((byte) =>
    Libp2pNetwork.start({
      secretKey: new Uint8Array(32).fill(byte),
      listen: ["/ip4/127.0.0.1/tcp/0"],
      mdns: false,
      clock: systemClock,
    })
  ));
  return { alice: alice!, bob: bob! };
});
