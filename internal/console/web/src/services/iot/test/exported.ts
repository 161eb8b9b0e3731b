import type { Message } from "../../../live/connection";
import { base64, kura } from "../../../live/kura";

/** exported is a message as a file has it, with nothing lost: text as it is, other bytes in Base64. */
export async function exported({ topic, payload, qos, retain, properties, at }: Message): Promise<object> {
  const { correlationData, ...rest } = properties;
  const common = {
    topic,
    timestamp: at.toISOString(),
    qos,
    retain,
    properties: { ...rest, ...(correlationData && { correlationData: base64(correlationData) }) },
  };
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload);
    return { ...common, format: isJSON(text) ? "json" : "string", payload: text };
  } catch {
    return { ...common, format: "base64", payload: base64(payload), kura: await kura(payload) };
  }
}

function isJSON(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
