/** A value of the glob is JSON. Texts are shown as what they say, anything else as JSON. */
export interface Shown {
  kind: "text" | "json";
  text: string;
}

export function shownOf(value: string): Shown {
  try {
    const v: unknown = JSON.parse(value);
    return typeof v === "string" ? { kind: "text", text: v } : { kind: "json", text: JSON.stringify(v, null, 2) };
  } catch {
    return { kind: "json", text: value };
  }
}

/** valueOf is what is kept of what was typed. */
export const valueOf = ({ kind, text }: Shown): string => (kind === "text" ? JSON.stringify(text) : JSON.stringify(JSON.parse(text)));

/** isSecret says whether a value is not to be shown before somebody asks for it. */
export const isSecret = (text: string): boolean => /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text);

export function keyFault(key: string): string | undefined {
  if (key === "") return "Enter a key.";
  return new TextEncoder().encode(key).length <= 512 ? undefined : "A key has up to 512 bytes.";
}
