/** A provider that says what a test wants: of ours or of Paygress, honest or not. */
import {
  buildPrivate,
  nostrPublicKey,
  openPrivate,
  type PrivateMessage,
  signEvent,
} from "../../../src/nostr/mod.ts";
import {
  type AccessAnswer,
  type Answer,
  buildAnswer,
  buildHeartbeat,
  buildOffer,
  type OfferBody,
  readRequest,
  type Request,
} from "../../../provisioning/wire/mod.ts";
import { BASIC } from "./lease_world.ts";
import type { LesseeWorld } from "./lessee_world.ts";
import { PLAY_MINT } from "./memory_till.ts";

/** Key that a scripted provider of ours wants to be paid to. */
export const SCRIPTED_PAYMENT_KEY = `02${"ab".repeat(32)}`;

/** What it says to a request; nothing, if that is undefined. */
export type Script = (
  request: Request,
  provider: ScriptedProvider,
) => Answer | string | undefined | Promise<Answer | string | undefined>;

/** A provider by a script. It hears what is published while it listens, as old ones do. */
export class ScriptedProvider implements Disposable {
  readonly key: string;
  readonly requests: Request[] = [];
  readonly messages: PrivateMessage[] = [];
  script: Script;
  readonly #secret: Uint8Array;
  readonly #world: LesseeWorld;
  readonly #isOurs: boolean;
  readonly #off: () => void;

  constructor(
    world: LesseeWorld,
    options: {
      readonly isOurs: boolean;
      readonly script: Script;
      readonly seed?: number;
      readonly offer?: Partial<OfferBody>;
    },
  ) {
    this.#world = world;
    this.#isOurs = options.isOurs;
    this.script = options.script;
    this.#secret = new Uint8Array(32).fill(options.seed ?? 50);
    this.key = nostrPublicKey(this.#secret);
    void this.announce(options.offer);
    this.#off = world.relay.subscribe([{ kinds: [4, 1059], "#p": [this.key] }], {
      onEvent: (event) => void this.#hear(event),
    });
  }

  /** Publishes an offer and a heartbeat. */
  async announce(offer: Partial<OfferBody> = {}): Promise<void> {
    const nowS = Math.floor(this.#world.clock.nowMs() / 1000);
    const body: OfferBody = {
      provider: this.key,
      name: `Scripted${this.key.slice(0, 4)}`,
      capabilities: ["lxc"],
      specs: [BASIC],
      mints: [PLAY_MINT],
      uptimePercent: 100,
      jobsCompletedCount: 0,
      isolation: "shared-kernel",
      ...(this.#isOurs
        ? {
          terms: {
            paymentKey: SCRIPTED_PAYMENT_KEY,
            locktimeMin: 15,
            specs: new Map([["basic", { diskMb: 1024, slotCount: 3 }]]),
            verbs: ["stop", "restart", "logs", "exec", "leases"],
            isDraining: false,
          },
        }
        : {}),
      ...offer,
    };
    await this.#publish(buildOffer(body, { createdAtS: nowS }));
    await this.beat();
  }

  /** Publishes a heartbeat. */
  async beat(): Promise<void> {
    const { stored } = buildHeartbeat({
      provider: this.key,
      timestampS: Math.floor(this.#world.clock.nowMs() / 1000),
      activeCount: 0,
      cpuMillicores: 1000,
      memoryMb: 1024,
      diskGb: 1,
    });
    await this.#publish(stored);
  }

  /** Says something in the way of the last message, or of the first for `index` 0. */
  async say(answer: Answer | string, index = -1): Promise<void> {
    const message = this.messages.at(index)!;
    const text = typeof answer === "string" ? answer : buildAnswer(answer);
    const { event } = await buildPrivate(
      { kind: message.kind, recipient: message.sender, text },
      { secretKey: this.#secret, clock: this.#world.clock, random: this.#world.random },
    );
    await this.#world.relay.publish(event);
  }

  /** Takes the token of a request as a provider does. */
  async take(request: Request): Promise<void> {
    if (!("token" in request)) return;
    await this.#world.till.redeem({ id: `scripted ${request.token}`, token: request.token });
  }

  /** An access answer as one of Paygress, or with `requestId` as one of ours. */
  access(more: Partial<AccessAnswer> = {}): AccessAnswer {
    const nowMs = this.#world.clock.nowMs();
    return {
      type: "access",
      lease: "container-1000",
      sshPort: 31000,
      expiresMs: nowMs + 3_600_000,
      cpuMillicores: 1000,
      memoryMb: 1024,
      specName: "Basic",
      specDescription: "1 vCPU, 1GB RAM",
      instructions: ["🚀 Workload provisioned successfully!", "  ssh -p 31000 root@203.0.113.9"],
      ...(this.#isOurs
        ? {
          host: "203.0.113.9",
          leaseId: `${this.key}:container-1000:${Math.floor(nowMs / 1000)}`,
          hostKeyFingerprint: `SHA256:${"k".repeat(43)}`,
          readyMs: nowMs,
        }
        : {}),
      ...more,
    };
  }

  [Symbol.dispose](): void {
    this.#off();
  }

  async #hear(event: Parameters<typeof openPrivate>[0]): Promise<void> {
    const message = await openPrivate(event, { secretKey: this.#secret });
    if (message === undefined || this.messages.some(({ id }) => id === message.id)) return;
    const reading = readRequest(message.text);
    if (!reading.ok) return;
    this.messages.push(message);
    this.requests.push(reading.request);
    const index = this.messages.length - 1;
    const answer = await this.script(reading.request, this);
    if (answer !== undefined) await this.say(answer, index);
  }

  async #publish(template: Parameters<typeof signEvent>[0]): Promise<void> {
    await this.#world.relay.publish(signEvent(template, this.#secret));
  }
}
