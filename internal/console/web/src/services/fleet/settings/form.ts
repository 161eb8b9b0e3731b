import type { RunSettings } from "../model";

/** Run settings as the form has them: texts, as they are typed. */
export interface Form {
  clients: string;
  iterations: string;
  interval: string;
  jitter: string;
  rampUp: string;
  gap: string;
  offset: string;
  connectLimit: string;
  requestLimit: string;
  duration: string;
  seed: string;
  virtual: boolean;
  keepState: boolean;
  latency: string;
  latencyJitter: string;
  loss: string; // per cent
  disconnectEvery: string;
  thresholds: string[];
}

const text = (n: number | undefined): string => (n ? String(n) : "");

/** A duration, empty where it is none. */
const lasting = (d: string | undefined): string => (d === undefined || /^0+[a-zµ]*$/.test(d) ? "" : shorter(d));

/** Go spells a minute 1m0s, and an hour 1h0m0s. */
const shorter = (d: string): string => d.replace(/(?<=m)0s$/, "").replace(/(?<=h)0m$/, "");

export function formOf(r: RunSettings): Form {
  return {
    clients: String(r.clients || 1),
    iterations: text(r.iterations),
    interval: lasting(r.interval),
    jitter: lasting(r.jitter),
    rampUp: lasting(r.rampUp),
    gap: lasting(r.gap),
    offset: text(r.offset),
    connectLimit: text(r.connectLimit),
    requestLimit: text(r.requestLimit),
    duration: lasting(r.duration),
    seed: text(r.seed),
    virtual: r.time === "virtual",
    keepState: r.keepState ?? false,
    latency: lasting(r.network?.latency),
    latencyJitter: lasting(r.network?.jitter),
    loss: r.network?.loss ? String(Math.round(r.network.loss * 1e6) / 1e4) : "",
    disconnectEvery: lasting(r.network?.disconnectEvery),
    thresholds: r.thresholds ?? [],
  };
}

const number = (s: string): number | undefined => (s.trim() === "" ? undefined : Number(s));

/** A number alone is of seconds. */
const duration = (s: string): string | undefined => (s.trim() === "" ? undefined : /^\d*\.?\d+$/.test(s.trim()) ? `${s.trim()}s` : s.trim());

export function settingsOf(f: Form): RunSettings {
  const network = { latency: duration(f.latency), jitter: duration(f.latencyJitter), loss: f.loss.trim() === "" ? undefined : Number(f.loss) / 100, disconnectEvery: duration(f.disconnectEvery) };
  const thresholds = f.thresholds.map((t) => t.trim()).filter(Boolean);
  return {
    clients: number(f.clients),
    iterations: number(f.iterations),
    interval: duration(f.interval),
    jitter: duration(f.jitter),
    rampUp: duration(f.rampUp),
    gap: duration(f.gap),
    offset: number(f.offset),
    connectLimit: number(f.connectLimit),
    requestLimit: number(f.requestLimit),
    duration: duration(f.duration),
    seed: number(f.seed),
    time: f.virtual ? "virtual" : undefined,
    network: Object.values(network).some((v) => v !== undefined) ? network : undefined,
    thresholds: thresholds.length ? thresholds : undefined,
    keepState: f.keepState || undefined,
  };
}

const whole = (s: string, least: number, most: number): string | undefined =>
  s.trim() === "" || (/^\d+$/.test(s.trim()) && Number(s) >= least && Number(s) <= most) ? undefined : `Enter a whole number from ${least.toLocaleString("en-US")} to ${most.toLocaleString("en-US")}.`;

export const durationFault = (s: string): string | undefined =>
  s.trim() === "" || /^(\d*\.?\d+|(\d*\.?\d+(ns|us|µs|ms|s|m|h))+)$/.test(s.trim()) ? undefined : "Enter a time such as 500ms, 10s, 1.5m or 2h.";

export const mostThresholds = 64;

/** As internal/fleet/report reads them. */
const condition = /^\s*[A-Za-z_][A-Za-z0-9_.-]{0,127}\s*:?\s+(count|rate|value|avg|min|max|med|p\(\s*[0-9.]+\s*\))\s*(<=|>=|===?|!=|<|>)\s*[-+0-9.eE]+\s*$/;

export const thresholdFault = (s: string): string | undefined =>
  s.trim() === "" || condition.test(s) ? undefined : "A metric, what of it, and a limit: publish_ms p(99) < 50 · errors rate < 0.01 · iterations count >= 5";

export type Faults = Partial<Record<keyof Form, string>>;

/** What is wrong with the form, by its fields. */
export function faultsOf(f: Form): Faults {
  const faults: Faults = {
    clients: f.clients.trim() === "" ? "Enter the number of clients." : whole(f.clients, 1, 100_000),
    iterations: whole(f.iterations, 0, 1e9),
    offset: whole(f.offset, 0, 1e9),
    connectLimit: whole(f.connectLimit, 0, 10_000),
    requestLimit: whole(f.requestLimit, 0, 10_000),
    seed: whole(f.seed, 0, Number.MAX_SAFE_INTEGER),
    loss: f.loss.trim() === "" || (/^\d*\.?\d+$/.test(f.loss.trim()) && Number(f.loss) <= 100) ? undefined : "Enter per cent, from 0 to 100.",
    thresholds: f.thresholds.length > mostThresholds ? `Up to ${mostThresholds} thresholds.` : f.thresholds.find((t) => thresholdFault(t) !== undefined) !== undefined ? "A threshold cannot be read." : undefined,
  };
  for (const key of ["interval", "jitter", "rampUp", "gap", "duration", "latency", "latencyJitter", "disconnectEvery"] as const) faults[key] = durationFault(f[key]);
  if (!faults.gap && f.gap.trim() !== "" && f.rampUp.trim() !== "") faults.gap = "Give a ramp-up or a gap, not both.";
  return Object.fromEntries(Object.entries(faults).filter(([, v]) => v !== undefined));
}

/** What run settings come to, in a line: 5 clients, 5 iterations, 1s apart. */
export function inWords(r: RunSettings): string {
  const parts = [`${(r.clients || 1).toLocaleString("en-US")} ${(r.clients || 1) === 1 ? "client" : "clients"}`];
  const endless = !r.iterations && lasting(r.duration) !== "";
  if (!endless) parts.push(`${(r.iterations || 1).toLocaleString("en-US")} ${(r.iterations || 1) === 1 ? "iteration" : "iterations"}`);
  if (lasting(r.interval)) parts.push(`one every ${lasting(r.interval)}`);
  if (lasting(r.rampUp)) parts.push(`started over ${lasting(r.rampUp)}`);
  if (lasting(r.gap)) parts.push(`started ${lasting(r.gap)} apart`);
  if (lasting(r.duration)) parts.push(`${endless ? "for" : "at most"} ${lasting(r.duration)}`);
  if (r.time === "virtual") parts.push("in virtual time");
  return parts.join(", ");
}
