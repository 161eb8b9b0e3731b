/** A client id as AWS's console has them, which nobody else has. */
export function newClientId(): string {
  const b = crypto.getRandomValues(new Uint8Array(16));
  const hex = [...b].map((n) => n.toString(16).padStart(2, "0")).join("");
  return `iotconsole-${hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}-0`;
}
