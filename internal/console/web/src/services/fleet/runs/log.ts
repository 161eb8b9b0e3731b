import type { LogEntry } from "../api";

/** How many lines of a run's log a page keeps. */
export const most = 2000;

/** The levels of lines, the worst last. */
export const levels = ["debug", "info", "warn", "error"];

/** keep adds lines to those that are kept, each once, and forgets the oldest. */
export function keep(kept: LogEntry[], more: LogEntry[]): LogEntry[] {
  const last = kept.at(-1)?.sequence ?? 0;
  const fresh = more.filter((l) => l.sequence > last);
  return fresh.length ? [...kept, ...fresh].slice(-most) : kept;
}

/** matching are the lines of a level or worse that have all words; a device's number is a word. */
export function matching(lines: LogEntry[], level: string, text: string): LogEntry[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const least = levels.indexOf(level);
  return lines.filter((l) => {
    if (levels.indexOf(l.level) < least) return false;
    const all = `${l.client ?? ""} ${l.level} ${l.text}`.toLowerCase();
    return words.every((w) => all.includes(w));
  });
}

/** written are lines as a file has them. */
export const written = (lines: LogEntry[]): string =>
  lines.map((l) => `${new Date(l.time * 1000).toISOString()} ${l.client === undefined ? "run" : `device ${l.client}`} ${l.level} ${l.text.replaceAll("\n", "\n  ")}\n`).join("");
