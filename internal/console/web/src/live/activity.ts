import { changes, type Change } from "./changes";
import type { Message } from "./connection";
import { matches } from "./topic";

/** Something that happened to a thing. */
export interface Happening {
  at: Date;
  kind: "Connection" | "Subscription" | "Shadow" | "Message";
  what: string; // in a line
  changes?: Change[]; // of a shadow
  message: Message;
}

/** The topics on which the server tells of a thing's clients and shadows. */
export const eventsOf = (thing: string, clients: string[]): string[] => [
  ...clients.flatMap((c) => [`$aws/events/presence/+/${c}`, `$aws/events/subscriptions/+/${c}`]),
  `$aws/things/${thing}/shadow/#`,
];

/** The topics that devices mostly send on: by their own name, alone or after an account or an application. */
export const messagesOf = (thing: string): string[] => [`${thing}/#`, `+/${thing}/#`];

interface Presence {
  eventType?: string;
  ipAddress?: string;
  disconnectReason?: string;
  connectFailureReason?: string;
  topics?: string[];
}

/** happened is what a message tells of a thing; undefined: nothing that is worth a line. */
export function happened(thing: string, clients: string[], m: Message): Happening | undefined {
  const of = (kind: Happening["kind"], what: string, c?: Change[]): Happening => ({ at: m.at, kind, what, changes: c, message: m });
  if (clients.some((c) => matches(`$aws/events/+/+/${c}`, m.topic))) {
    const e = (json(m) ?? {}) as Presence;
    const client = m.topic.split("/").at(-1);
    const topics = (e.topics ?? []).join(", ");
    switch (e.eventType) {
      case "connected":
        return of("Connection", `Client ${client} connected${e.ipAddress ? ` from ${e.ipAddress}` : ""}`);
      case "disconnected":
        return of("Connection", `Client ${client} disconnected: ${e.disconnectReason ?? "for no reason that is known"}`);
      case "connect_failed":
        return of("Connection", `Client ${client} could not connect: ${e.connectFailureReason ?? "for no reason that is known"}`);
      case "subscribed":
        return of("Subscription", `Client ${client} subscribed to ${topics}`);
      case "unsubscribed":
        return of("Subscription", `Client ${client} unsubscribed from ${topics}`);
      default:
        return undefined;
    }
  }
  const shadow = `$aws/things/${thing}/shadow/`;
  if (!m.topic.startsWith(shadow)) return m.topic.startsWith("$") ? undefined : of("Message", m.topic);
  const parts = m.topic.slice(shadow.length).split("/");
  const name = parts[0] === "name" ? parts.splice(0, 2)[1] : undefined;
  const which = name === undefined ? "Classic Shadow" : `Shadow ${name}`;
  switch (parts.join("/")) {
    case "update/documents": {
      const d = json(m) as { previous?: { state?: unknown }; current?: { state?: unknown; version?: number } } | undefined;
      return of("Shadow", `${which} updated to version ${d?.current?.version ?? "?"}`, changes(d?.previous?.state, d?.current?.state));
    }
    case "update/delta":
      return of("Shadow", `${which} differs from what is desired`);
    case "update/rejected":
    case "delete/rejected": {
      const r = json(m) as { code?: number; message?: string } | undefined;
      return of("Shadow", `${which} refused: ${[r?.code, r?.message].filter((p) => p !== undefined).join(" ")}`);
    }
    case "delete/accepted":
      return of("Shadow", `${which} deleted`);
    default:
      return undefined; // requests, and answers to them
  }
}

function json(m: Message): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(m.payload)) ?? undefined;
  } catch {
    return undefined;
  }
}
