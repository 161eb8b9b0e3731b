import type { Clock, Fragment, Range } from "./api";

/** Fragments that follow each other without a gap. */
export interface Recording {
  from: number; // ms since 1970
  to: number;
  fragments: number;
  size: number; // bytes
  gap?: number; // ms since the one before ended
}

/** From which pause on two fragments do not follow each other: cameras are not exact. */
const pause = 1000;

/** recordings joins fragments, which are in the order of their starts by that clock. */
export function recordings(list: Fragment[], by: Clock): Recording[] {
  const all: Recording[] = [];
  for (const f of list) {
    const start = f[by];
    const last = all.at(-1);
    if (last && start - last.to <= pause) {
      last.to = Math.max(last.to, start + f.length);
      last.fragments++;
      last.size += f.size;
    } else all.push({ from: start, to: start + f.length, fragments: 1, size: f.size, gap: last && start - last.to });
  }
  return all;
}

/** merged adds fragments to a list that is in the order of their starts; those that are there already are taken anew. */
export function merged(list: Fragment[], more: Fragment[], by: Clock): Fragment[] {
  if (more.length === 0) return list;
  const first = Math.min(...more.map((f) => f[by]));
  let cut = list.length;
  while (cut > 0 && (list[cut - 1]?.[by] ?? 0) >= first) cut--;
  const tail = new Map(list.slice(cut).map((f) => [f.number, f]));
  for (const f of more) tail.set(f.number, f);
  return [...list.slice(0, cut), ...[...tail.values()].sort((a, b) => a[by] - b[by] || (a.number < b.number ? -1 : 1))];
}

/** A tick of an axis of time. */
export interface Tick {
  at: number;
  label: string;
}

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000, 31_536_000].map((s) => s * 1000);

/** ticks are where an axis is marked, at whole times of the browser's clock, no more than so many. */
export function ticks({ from, to }: Range, most: number): Tick[] {
  const span = Math.max(to - from, 1);
  const step = steps.find((s) => span / s <= most) ?? Math.ceil(span / most);
  const zone = new Date(from).getTimezoneOffset() * 60_000;
  const list: Tick[] = [];
  for (let at = Math.ceil((from - zone) / step) * step + zone; at <= to; at += step) {
    const d = new Date(at);
    const day = d.toLocaleDateString("en-US", { month: "short", day: "numeric", ...(span > 300 * 86_400_000 && { year: "numeric" }) });
    const clock = d.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", ...(step < 60_000 && { second: "2-digit" }) });
    list.push({ at, label: step >= 86_400_000 ? day : span > 86_400_000 ? `${day} ${clock}` : clock });
  }
  return list;
}

/** How long: 2.5 s, 3 min 20 s, 4 h 5 min, 2 days 3 h. */
export function duration(ms: number): string {
  const s = ms / 1000;
  if (s < 60) return `${Math.round(s * 10) / 10} s`;
  const whole = Math.round(s);
  const units = [["day", 86_400], ["h", 3600], ["min", 60], ["s", 1]] as const;
  const at = units.findIndex(([, size]) => whole >= size);
  return units
    .slice(at, at + 2)
    .map(([unit, size], i) => [Math.floor((i === 0 ? whole : whole % (units[at]?.[1] ?? 1)) / size), unit] as const)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit === "day" && n > 1 ? "days" : unit}`)
    .join(" ");
}

/** How much: 512 bytes, 1.5 MB. */
export function bytes(n: number): string {
  if (n < 1000) return `${n} bytes`;
  for (const [unit, size] of [["kB", 1e3], ["MB", 1e6], ["GB", 1e9], ["TB", 1e12]] as const) {
    if (n < size * 1000 || unit === "TB") return `${(n / size).toPrecision(3).replace(/\.0+$|(\.\d*[1-9])0+$/, "$1")} ${unit}`;
  }
  return "";
}
