/** A payload as people read it: JSON laid out, text as it is, anything else in hexadecimal. */
export function shown(payload: Uint8Array): { as: "JSON" | "Text" | "Hexadecimal"; text: string } {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
  } catch {
    return { as: "Hexadecimal", text: hex(payload) };
  }
  // Control characters are no text that anybody reads.
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(text)) return { as: "Hexadecimal", text: hex(payload) };
  try {
    return { as: "JSON", text: JSON.stringify(JSON.parse(text), null, 2) };
  } catch {
    return { as: "Text", text };
  }
}

function hex(payload: Uint8Array): string {
  const lines: string[] = [];
  for (let i = 0; i < payload.length; i += 16) lines.push([...payload.subarray(i, i + 16)].map((b) => b.toString(16).padStart(2, "0")).join(" "));
  return lines.join("\n");
}
