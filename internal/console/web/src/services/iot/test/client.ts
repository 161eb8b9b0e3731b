import { newClientId } from "../../../live/clientid";
import { Connection, type Message, type Publication } from "../../../live/connection";
import type { Display } from "../../../live/payload";
import { matches } from "../../../live/topic";
import { whenForgotten } from "../../../session/credentials";

/** How a subscription is made and shown. */
export interface Config {
  qos: 0 | 1;
  keep: number; // messages
  display: Display;
}

/** A message in a log. */
export interface Entry {
  id: number;
  message: Message;
}

/** A subscription with its log. */
export interface Sub {
  filter: string;
  config: Config;
  state: "asked" | "granted" | "refused";
  asked: number; // the latest has the greatest
  error?: Error;
  entries: Entry[]; // the newest first
  held: Entry[]; // come while paused
  total: number; // ever
  unread: number;
  paused: boolean;
  favorite: boolean;
  /** What was published and should have come back by now. */
  note?: string;
}

/** How long after its acknowledgement a message that comes back may take. */
const roundTrip = 5000;

/**
 * TestClient is the MQTT test client: a connection, subscriptions and what came.
 * It goes on while other screens are looked at, until the session ends.
 */
export class TestClient {
  readonly connection: Connection;
  subs: Sub[] = [];
  selected?: string;
  /** Whether the log is looked at: else all that comes is unread. */
  watched = false;
  private count = 0;
  private version = 0;
  private timer?: ReturnType<typeof setTimeout>;
  private readonly listeners = new Set<() => void>();
  private readonly awaited = new Set<{ topic: string; sub: Sub }>();

  constructor(readonly region: string) {
    this.connection = new Connection({
      region,
      clientId: newClientId(),
      onMessage: (m) => this.arrived(m),
      onChange: () => this.changed(),
      onRefused: (filter, error) => {
        const sub = this.sub(filter);
        if (sub) Object.assign(sub, { state: "refused", error });
        this.changed();
      },
    });
    this.connection.connect();
  }

  sub(filter: string | undefined): Sub | undefined {
    return this.subs.find((s) => s.filter === filter);
  }

  /** subscribe makes a subscription, or makes one that is there otherwise, and shows it. */
  async subscribe(filter: string, config: Config): Promise<void> {
    const old = this.sub(filter);
    const sub: Sub = old ?? { filter, config, state: "asked", asked: 0, entries: [], held: [], total: 0, unread: 0, paused: false, favorite: false };
    const asks = !old || old.state === "refused" || old.config.qos !== config.qos;
    sub.config = config;
    sub.entries = sub.entries.slice(0, config.keep);
    if (!old) this.subs = [...this.subs, sub];
    this.select(filter);
    if (!asks) return;
    sub.state = "asked";
    sub.asked = ++this.count;
    sub.error = undefined;
    this.changed();
    try {
      await this.connection.subscribe(filter, config.qos);
      sub.state = "granted";
    } catch (e) {
      sub.state = "refused";
      sub.error = e instanceof Error ? e : new Error(String(e));
      throw e;
    } finally {
      this.changed();
    }
  }

  async unsubscribe(filter: string): Promise<void> {
    this.subs = this.subs.filter((s) => s.filter !== filter);
    if (this.selected === filter) this.selected = this.subs[0]?.filter;
    this.changed();
    await this.connection.unsubscribe(filter);
  }

  select(filter: string): void {
    this.selected = filter;
    const sub = this.sub(filter);
    if (sub) sub.unread = 0;
    this.changed();
  }

  /** watch says whether the log is looked at. */
  watch(on: boolean): void {
    this.watched = on;
    const sub = this.sub(this.selected);
    if (on && sub) sub.unread = 0;
    this.changed();
  }

  change(filter: string, part: Partial<Pick<Sub, "favorite" | "paused">>): void {
    const sub = this.sub(filter);
    if (!sub) return;
    Object.assign(sub, part);
    if (!sub.paused && sub.held.length) {
      sub.entries = [...sub.held, ...sub.entries].slice(0, sub.config.keep);
      sub.held = [];
    }
    this.changed();
  }

  clear(filter: string): void {
    const sub = this.sub(filter);
    if (sub) Object.assign(sub, { entries: [], held: [], total: 0, unread: 0, note: undefined });
    this.changed();
  }

  async publish(topic: string, payload: Uint8Array, p: Publication): Promise<void> {
    const waiting = this.subs
      .filter((s) => s.state === "granted" && !s.filter.startsWith("$share/") && matches(s.filter, topic))
      .map((sub) => {
        sub.note = undefined;
        return { topic, sub };
      });
    for (const w of waiting) this.awaited.add(w);
    try {
      await this.connection.publish(topic, payload, p);
    } catch (e) {
      for (const w of waiting) this.awaited.delete(w);
      throw e;
    }
    setTimeout(() => {
      for (const w of waiting) {
        if (!this.awaited.delete(w) || !this.subs.includes(w.sub) || this.connection.state.of !== "connected") continue;
        w.sub.note =
          p.qos === 0
            ? `What you published on ${topic} did not come back: iot:Publish or iot:Receive on it may not be allowed. Publish with QoS 1 to be told.`
            : `The server took what you published on ${topic}, and it did not come back: iot:Receive on it may not be allowed.`;
      }
      this.changed();
    }, roundTrip);
  }

  private arrived(message: Message): void {
    for (const w of this.awaited) if (w.topic === message.topic) this.awaited.delete(w);
    const subs = this.subs.filter((s) => matches(s.filter, message.topic));
    // What was kept is for the subscription that has just been made.
    const latest = Math.max(...subs.map((s) => s.asked));
    for (const sub of message.retain ? subs.filter((s) => s.asked === latest) : subs) {
      const entry = { id: ++this.count, message };
      sub.total++;
      if (!this.watched || this.selected !== sub.filter) sub.unread++;
      if (sub.paused) sub.held = [entry, ...sub.held].slice(0, sub.config.keep);
      else sub.entries = [entry, ...sub.entries].slice(0, sub.config.keep);
    }
    this.later();
  }

  /** Of many messages in a moment the screen shows the result. */
  private later(): void {
    this.timer ??= setTimeout(() => this.changed(), 40);
  }

  private changed(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.version++;
    for (const f of this.listeners) f();
  }

  /** For useSyncExternalStore. */
  readonly listen = (f: () => void): (() => void) => {
    this.listeners.add(f);
    return () => this.listeners.delete(f);
  };
  readonly now = (): number => this.version;
}

let kept: TestClient | undefined;

/** The test client of a region. One of another region is closed. */
export function testClient(region: string): TestClient {
  if (kept?.region !== region) {
    kept?.connection.close();
    kept = new TestClient(region);
  }
  return kept;
}

whenForgotten(() => {
  kept?.connection.close();
  kept = undefined;
});
