/** download saves what this page has as a file, without asking the server. */
export function download(name: string, content: BlobPart, kind = "text/plain"): void {
  saveBlob(name, new Blob([content], { type: kind }));
}

/** saveBlob saves bytes that this page has as a file. */
export function saveBlob(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** csv writes rows as a file that spreadsheets read. Texts are as they are: secrets are among them. */
export function csv(rows: string[][]): string {
  const field = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return rows.map((r) => r.map(field).join(",") + "\r\n").join("");
}
