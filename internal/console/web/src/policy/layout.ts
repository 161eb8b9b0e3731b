/** A document on lines of its own, where it was written on one. */
export function laidOut(document: string): string {
  if (document.includes("\n")) return document;
  try {
    return JSON.stringify(JSON.parse(document), null, 4);
  } catch {
    return document;
  }
}
