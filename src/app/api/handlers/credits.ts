/** Methods about credit that is left at sellers. */
import { SeedmintError } from "../../../core/errors.ts";
import { askRefund } from "../../../../swarm/requester/mod.ts";
import type { Handler } from "../parts.ts";

/** How long a seller may take in all: it makes ecash at a mint for it. */
const REFUND_MS_MAX = 120_000;

/** Asks a seller to pay back what is left there, and receives it. Harmless at any time. */
export const refundCredit: Handler<"credits.refund"> = async (parts, params, { signal }) => {
  const { network, wallet, clock, config, hintsOf } = parts;
  const { peerId, peers = [] } = params;
  if (network === undefined || wallet === undefined) {
    throw new SeedmintError("unavailable", "Cannot ask for a refund: no network, or no wallet");
  }
  const { credits } = await wallet.call("wallet.credits", {}, { signal });
  if (!credits.some((credit) => credit.peerId === peerId && credit.paidSat > 0)) {
    throw new SeedmintError("not-found", `Peer ${peerId} has nothing of us; see wallet credits`);
  }
  const addrs = hintsOf([...peers, ...config.peer], "peer")
    .filter((hint) => hint.peerId === peerId)
    .flatMap((hint) => hint.addrs);
  const deadline = new AbortController();
  const cancel = clock.timer(REFUND_MS_MAX, () => {
    deadline.abort(new SeedmintError("timeout", `Peer ${peerId} made no refund in time`));
  });
  try {
    const { token, amountSat } = await askRefund({
      network,
      peer: { peerId, addrs },
      clock,
      signal: AbortSignal.any([signal, deadline.signal]),
    });
    // From here on the ecash is in our hands: it is taken, whoever still waits.
    const taken = await wallet.call("wallet.takeRefund", { peerId, token });
    return { peerId, amountSat, ...taken };
  } finally {
    cancel();
  }
};
