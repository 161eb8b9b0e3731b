import { kura } from "./kura";

/** How payloads are shown. */
export type Display = "auto" | "text" | "hex" | "kura";

export const displays: { value: Display; label: string; description: string }[] = [
  { value: "auto", label: "Auto-format JSON payloads", description: "Improves readability. Kura's payloads are decoded, what is no text is in hexadecimal." },
  { value: "text", label: "Display payloads as strings", description: "More accurate: as they came." },
  { value: "hex", label: "Display raw payloads", description: "In hexadecimal." },
  { value: "kura", label: "Decode Kura payloads", description: "Eclipse Kura's protobuf, plain or in gzip, as JSON." },
];

export interface Shown {
  as: "JSON" | "text" | "hex" | "Kura";
  text: string;
}

/** What of a payload is shown, at most: the rest is told of. */
const most = 128 << 10;

/** show is a payload as it is to be shown. */
export async function show(payload: Uint8Array, display: Display): Promise<Shown> {
  const { as, text } = await whole(payload, display);
  return { as, text: text.length > most ? `${text.slice(0, most)}\n… and ${text.length - most} more characters` : text };
}

/** whole is all of it, as text; bytes in hexadecimal as far as they are shown. */
async function whole(payload: Uint8Array, display: Display): Promise<Shown> {
  if (display === "hex") return { as: "hex", text: hex(payload) };
  if (display === "kura") {
    const k = await kura(payload);
    return k ? { as: "Kura", text: JSON.stringify(k, null, 2) } : { as: "text", text: decode(payload) };
  }
  if (display === "text") return { as: "text", text: decode(payload) };
  const text = utf8(payload);
  const laid = text === undefined ? undefined : indented(text);
  if (laid !== undefined) return { as: "JSON", text: laid };
  const packed = payload[0] === 0x1f && payload[1] === 0x8b;
  if (packed || text === undefined || !readable(text)) {
    const k = await kura(payload);
    if (k) return { as: "Kura", text: JSON.stringify(k, null, 2) };
    return payload.length && (text === undefined || !readable(text)) ? { as: "hex", text: hex(payload) } : { as: "text", text: text ?? "" };
  }
  return { as: "text", text };
}

const utf8 = (b: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(b);
  } catch {
    return undefined;
  }
};

const decode = (b: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(b);

/** Whether a text is one that people write, without control characters. */
const readable = (text: string) => !/[\u0000-\u0008\u000e-\u001a\u001c-\u001f\u007f]/.test(text);

/** Sixteen bytes a line: place, bytes, what they are in ASCII. */
export function hex(b: Uint8Array): string {
  const lines: string[] = [];
  const end = Math.min(b.length, most / 4);
  for (let at = 0; at < end; at += 16) {
    const part = [...b.subarray(at, Math.min(at + 16, end))];
    const digits = part.map((n) => n.toString(16).padStart(2, "0")).join(" ");
    const ascii = part.map((n) => (n >= 0x20 && n < 0x7f ? String.fromCharCode(n) : ".")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${digits.padEnd(47)}  ${ascii}`);
  }
  if (end < b.length) lines.push(`… and ${b.length - end} more bytes`);
  return lines.join("\n");
}

/** indented lays JSON out, every number and string as it was written; undefined: it is no JSON. */
export function indented(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  let out = "";
  let depth = 0;
  const line = () => "\n" + "  ".repeat(depth);
  // Tokens of what is known to be JSON: strings, brackets, and all that lies between.
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)) {
    switch (token) {
      case "{":
      case "[":
        out += token;
        depth++;
        out += line();
        break;
      case "}":
      case "]":
        depth--;
        out = /[{[]\s*$/.test(out.slice(-2 - 2 * (depth + 1))) ? out.trimEnd() + token : out + line() + token;
        break;
      case ",":
        out += "," + line();
        break;
      case ":":
        out += ": ";
        break;
      default:
        out += token;
    }
  }
  return out;
}
