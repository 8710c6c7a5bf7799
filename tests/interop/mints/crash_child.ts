/**
 * A wallet that kills its own process at a fault point: `deno run -A crash_child.ts JSON`. The parent
 * opens the same folder afterwards.
 */
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { Wallet } from "../../../wallet/mod.ts";

/** What the child is to do. */
export interface CrashPlan {
  readonly directory: string;
  readonly seedWords: string;
  readonly mint: string;
  /** Dies when this point is passed. */
  readonly point: string;
  readonly act:
    | { readonly kind: "send"; readonly amountSat: number; readonly lockTo: string }
    | { readonly kind: "receive"; readonly token: string }
    | { readonly kind: "pay"; readonly invoice: string }
    | { readonly kind: "fund"; readonly amountSat: number }
    | { readonly kind: "swap"; readonly to: string; readonly amountSat: number };
}

async function act(wallet: Wallet, { act, mint }: CrashPlan): Promise<void> {
  switch (act.kind) {
    case "send": {
      const { amountSat, lockTo } = act;
      await wallet.confirm((await wallet.prepareSend({ mint, amountSat, lockTo })).id);
      return;
    }
    case "receive":
      await wallet.receive({ token: act.token });
      return;
    case "pay":
      await wallet.confirm((await wallet.preparePay({ mint, invoice: act.invoice })).id);
      return;
    case "fund":
      await wallet.wait((await wallet.fund({ mint, amountSat: act.amountSat })).operation.id);
      return;
    case "swap": {
      const { to, amountSat } = act;
      const { id } = await wallet.prepareSwap({ from: mint, to, amountSat });
      await wallet.confirm(id);
      await wallet.wait(id);
      return;
    }
    default:
      act satisfies never;
  }
}

if (import.meta.main) {
  const plan: CrashPlan = JSON.parse(Deno.args[0]!);
  const wallet = await Wallet.open({
    directory: plan.directory,
    seedWords: plan.seedWords,
    clock: systemClock,
    random: systemRandom,
    resumes: false,
    fault: (name) => {
      if (name === plan.point) Deno.kill(Deno.pid, "SIGKILL");
    },
  });
  await act(wallet, plan);
  // It went past every point: the parent takes this for a failure.
  Deno.exit(0);
}
