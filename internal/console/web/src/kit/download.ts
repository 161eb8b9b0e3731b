/** download saves what this page has as a file, without asking the server. */
export function download(name: string, content: BlobPart, kind = "text/plain"): void {
  const url = URL.createObjectURL(new Blob([content], { type: kind }));
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
