import mqtt, { type IClientPublishOptions, type IPublishPacket, type MqttClient, type Packet } from "mqtt";
import { noticed } from "../session/aws";
import { credentials } from "../session/credentials";
import { SignInError } from "../session/signin";
import { Lost, Refused } from "./refused";
import { signed } from "./sign";

/** A message as it came. */
export interface Message {
  topic: string;
  payload: Uint8Array;
  qos: 0 | 1 | 2;
  retain: boolean; // it was kept, and comes because of a new subscription
  properties: NonNullable<IPublishPacket["properties"]>;
  at: Date;
}

export type State =
  | { of: "closed" }
  | { of: "connecting" }
  | { of: "connected"; since: Date }
  /** It is tried again by itself then. */
  | { of: "waiting"; until: Date; error?: Error }
  /** It is not tried again: the server does not want it. */
  | { of: "refused"; error: Error };

export interface Publication {
  qos: 0 | 1;
  retain?: boolean;
  properties?: IClientPublishOptions["properties"];
}

interface Options {
  region: string;
  clientId: string;
  onMessage: (m: Message) => void;
  /** State, or what it says of a filter, has changed. */
  onChange: () => void;
  /** A subscription that nobody waits for was refused: one that was wanted, or made anew after a loss. */
  onRefused?: (filter: string, error: Error) => void;
}

const keepAlive = 120; // seconds; timers of a page in the background ring once a minute
const longestWait = 30_000;

/**
 * Connection is MQTT 5 over WebSocket to this server, as who is signed in. When
 * it is lost it comes back by itself, signed with the credentials of then, and
 * with its subscriptions. Refusals are errors that carry the server's reason.
 */
export class Connection {
  state: State = { of: "closed" };
  private client?: MqttClient;
  private readonly filters = new Map<string, 0 | 1>();
  private readonly waiting = new Set<(e: Error) => void>();
  private attempt = 0; // of now: what belongs to an earlier one is stale
  private failures = 0;
  private timer?: ReturnType<typeof setTimeout>;

  constructor(private readonly o: Options) {}

  get clientId(): string {
    return this.o.clientId;
  }
  get region(): string {
    return this.o.region;
  }

  /** connect begins to connect, at once. */
  connect(): void {
    if (this.state.of === "connecting" || this.state.of === "connected") return;
    clearTimeout(this.timer);
    this.become({ of: "connecting" });
    void this.try(++this.attempt);
  }

  /** close disconnects, and stays so until connect. */
  close(): void {
    clearTimeout(this.timer);
    this.attempt++;
    this.failures = 0;
    this.client?.end();
    this.client = undefined;
    this.fail(new Lost("Disconnected."));
    if (this.state.of !== "closed") this.become({ of: "closed" });
  }

  /** subscribe resolves when the server has granted it. The subscription is made anew after a loss. */
  subscribe(filter: string, qos: 0 | 1): Promise<void> {
    return this.answered(async (client) => {
      await ask(client, filter, qos, 0);
      this.filters.set(filter, qos);
    });
  }

  /** want subscribes as soon as there is a connection; a refusal is told by onRefused. */
  want(filter: string, qos: 0 | 1): void {
    if (this.filters.has(filter)) return;
    this.filters.set(filter, qos);
    if (this.client && this.state.of === "connected") void this.again(this.client, filter, qos, 0);
  }

  async unsubscribe(filter: string): Promise<void> {
    this.filters.delete(filter);
    if (this.state.of !== "connected") return; // it is not made again
    await this.answered((client) => new Promise<void>((done, failed) => client.unsubscribe(filter, {}, (e) => (e ? failed(e) : done()))));
  }

  /** publish resolves when the message is acknowledged; one of QoS 0, when it is sent. */
  publish(topic: string, payload: Uint8Array, p: Publication): Promise<void> {
    return this.answered(
      (client) =>
        new Promise<void>((done, failed) => {
          client.publish(topic, payload as never, { qos: p.qos, retain: p.retain, properties: p.properties }, (e, packet) => {
            if (e) failed(refusal(e, packet));
            else done();
          });
        }),
    );
  }

  /** answered waits for the server's answer, or for the connection's end, which is one too. */
  private async answered(f: (client: MqttClient) => Promise<void>): Promise<void> {
    const client = this.client;
    if (!client || this.state.of !== "connected") throw new Lost("There is no connection.");
    let fail: (e: Error) => void = () => {};
    const ended = new Promise<never>((_, no) => (fail = no));
    ended.catch(() => {});
    this.waiting.add(fail);
    try {
      const answer = f(client).catch((e: unknown) => {
        if (this.client === client) throw e;
        return ended; // the library says that it is closed; this says why
      });
      await Promise.race([answer, ended]);
    } finally {
      this.waiting.delete(fail);
    }
  }

  private fail(e: Error): void {
    for (const f of [...this.waiting]) f(e);
    this.waiting.clear();
  }

  private become(state: State): void {
    this.state = state;
    this.o.onChange();
  }

  private async try(mine: number): Promise<void> {
    let url: string;
    try {
      url = await signed(location.origin, this.o.region, await credentials());
    } catch (e) {
      noticed(e);
      const error = e instanceof Error ? e : new Error(String(e));
      if (mine === this.attempt) this.lost(error, error instanceof SignInError && error.code === "NotSignedIn");
      return;
    }
    if (mine !== this.attempt) return;
    const client = mqtt.connect(url, {
      transformWsUrl: () => url,
      protocolVersion: 5,
      clientId: this.o.clientId,
      clean: true,
      keepalive: keepAlive,
      connectTimeout: 15_000,
      reconnectPeriod: 0, // a new connection has to be signed anew
      resubscribe: false,
      queueQoSZero: false,
      timerVariant: "native",
    });
    this.client = client;
    let opened = false; // the WebSocket, at least
    let reason: Error | undefined;
    const current = () => mine === this.attempt;
    client.on("packetreceive", (p) => {
      opened = true;
      if (p.cmd === "connack" && p.reasonCode) reason = new Refused(p.reasonCode, p.properties?.reasonString);
    });
    client.on("disconnect", (p) => (reason = new Refused(p.reasonCode ?? 128, p.properties?.reasonString)));
    client.on("error", (e) => (reason ??= e)); // "close" follows
    client.on("connect", () => {
      if (!current()) return;
      this.failures = 0;
      this.become({ of: "connected", since: new Date() });
      for (const [filter, qos] of this.filters) void this.again(client, filter, qos, 2);
    });
    client.on("message", (topic, payload, p) => {
      if (current()) this.o.onMessage({ topic, payload, qos: p.qos, retain: p.retain, properties: p.properties ?? {}, at: new Date() });
    });
    client.on("close", () => {
      client.end(true);
      if (!current()) return;
      if (opened) this.lost(reason);
      else
        void whyNot(url).then((why) => {
          if (current()) this.lost(why ?? reason, why !== undefined);
        });
    });
  }

  /** A subscription in its own time; one of before (rh 2), without the retained messages that it brought then. */
  private async again(client: MqttClient, filter: string, qos: 0 | 1, rh: 0 | 2): Promise<void> {
    try {
      await ask(client, filter, qos, rh);
    } catch (e) {
      if (!(e instanceof Refused) || this.client !== client) return;
      this.filters.delete(filter);
      this.o.onRefused?.(filter, e);
    }
  }

  private lost(error?: Error, final = false): void {
    this.client = undefined;
    this.attempt++;
    this.fail(error ?? new Lost());
    // Who may not connect may not in a second either; and two of one id would take the session from each other for ever.
    if (error && (final || (error instanceof Refused && (error.denied || error.code === 142)))) {
      this.become({ of: "refused", error });
      return;
    }
    const wait = Math.min(longestWait, 500 * 2 ** this.failures++) * (0.5 + Math.random() / 2);
    this.timer = setTimeout(() => this.connect(), wait);
    this.become({ of: "waiting", until: new Date(Date.now() + wait), error });
  }
}

function ask(client: MqttClient, filter: string, qos: 0 | 1, rh: 0 | 2): Promise<void> {
  return new Promise((done, failed) => {
    client.subscribe(filter, { qos, rh }, (e, _, packet) => {
      if (e) failed(refusal(e, packet));
      else done();
    });
  });
}

/** What a packet that answers says of a refusal, in place of the library's words. */
function refusal(e: Error, packet?: Packet): Error {
  const p = packet as { reasonCode?: number; granted?: unknown[]; properties?: { reasonString?: string } } | undefined;
  const code = p?.reasonCode ?? p?.granted?.find((g) => typeof g === "number" && g >= 128);
  return typeof code === "number" ? new Refused(code, p?.properties?.reasonString) : e;
}

/** A browser does not tell why a WebSocket was not taken: the same address, asked over HTTP, does. */
async function whyNot(url: string): Promise<Error | undefined> {
  try {
    const answer = await fetch(url.replace(/^ws/, "http"), { cache: "no-store", credentials: "omit" });
    if (answer.status !== 403) return undefined;
    const { message } = (await answer.json()) as { message?: string };
    const e = new Error(message ?? "The server refuses the connection.");
    e.name = answer.headers.get("x-amzn-errortype")?.split(":")[0] ?? "ForbiddenException";
    return e;
  } catch {
    return undefined;
  }
}
