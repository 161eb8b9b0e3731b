import type { Publication } from "../../../live/connection";

/** A message as it is being entered. */
export interface Draft {
  payload: string;
  hex: boolean; // payload is bytes in hexadecimal
  qos: 0 | 1;
  retain: boolean;
  utf8: boolean; // told by the payload format indicator
  contentType: string;
  responseTopic: string;
  correlation: string;
  expiry: string; // seconds
  user: { key: string; value: string }[];
}

// With QoS 1 a refusal is told; with QoS 0 the message would be dropped without a word.
export const newDraft: Draft = {
  payload: '{\n  "message": "Hello from the thingd console"\n}',
  hex: false,
  qos: 1,
  retain: false,
  utf8: false,
  contentType: "",
  responseTopic: "",
  correlation: "",
  expiry: "",
  user: [],
};

/** What is wrong with fields of a draft; no fields: it will do. */
export function faults(d: Draft): Partial<Record<"payload" | "expiry" | "responseTopic" | "user", string>> {
  const f: ReturnType<typeof faults> = {};
  if (d.hex && bytesOf(d) === undefined) f.payload = "Enter bytes in hexadecimal, two digits each.";
  if (d.expiry && !(/^\d+$/.test(d.expiry) && Number(d.expiry) >= 1 && Number(d.expiry) <= 0xffffffff)) f.expiry = "Enter a number of seconds, 1 or more.";
  if (/[#+]/.test(d.responseTopic)) f.responseTopic = "A response topic has no wildcards.";
  if (d.user.some((u) => !u.key)) f.user = "A user property has no key.";
  return f;
}

/** The bytes of a draft's payload; undefined: they are no hexadecimal. */
export function bytesOf(d: Draft): Uint8Array | undefined {
  if (!d.hex) return new TextEncoder().encode(d.payload);
  const digits = d.payload.replace(/0x|[\s:,]/gi, "");
  if (digits.length % 2 || /[^0-9a-f]/i.test(digits)) return undefined;
  return Uint8Array.from(digits.match(/../g) ?? [], (h) => parseInt(h, 16));
}

/** How a draft is published. */
export function publicationOf(d: Draft): Publication {
  const properties: NonNullable<Publication["properties"]> = {};
  if (d.utf8) properties.payloadFormatIndicator = true;
  if (d.contentType) properties.contentType = d.contentType;
  if (d.responseTopic) properties.responseTopic = d.responseTopic;
  if (d.correlation) properties.correlationData = new TextEncoder().encode(d.correlation) as never;
  if (d.expiry) properties.messageExpiryInterval = Number(d.expiry);
  if (d.user.length) {
    const user: Record<string, string[]> = {};
    for (const { key, value } of d.user) (user[key] ??= []).push(value);
    properties.userProperties = user;
  }
  return { qos: d.qos, retain: d.retain, properties };
}
