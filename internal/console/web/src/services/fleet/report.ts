/** What a run tells (internal/fleet/report), as far as it is shown. */

export interface Snapshot {
  runId?: string;
  model: string;
  seed: number;
  phase: "starting" | "running" | "finishing" | "done";
  started: string;
  elapsedMs: number;
  progress: number; // 0 to 1
  virtual?: boolean;
  virtualMs?: number;
  devices: Devices;
  metrics?: Metric[];
  errors?: ErrorCount[];
  thresholds?: ThresholdStatus[];
  memoryBytes: number;
}

/** Where a device can be, in the order in which it comes there. */
export const phases = ["waiting", "starting", "connecting", "running", "finishing", "finished", "failed", "stopped"] as const;
export type DevicePhase = (typeof phases)[number];

export type Devices = Record<DevicePhase | "total" | "connected", number>;

export interface Metric {
  name: string;
  kind: "counter" | "gauge" | "rate" | "trend";
  count: number;
  rate: number;
  recent: number;
  value?: number;
  min?: number;
  avg?: number;
  p50?: number;
  p90?: number;
  p95?: number;
  p99?: number;
  max?: number;
}

export interface ErrorCount {
  reason: string;
  count: number;
  client: number;
}

export interface ThresholdStatus {
  expression: string;
  ok: boolean;
  value: number;
  known: boolean;
}

export interface Result extends Snapshot {
  outcome: "succeeded" | "thresholds" | "failed" | "stopped";
  reason?: string;
  ended: string;
  failedDevices?: { client: number; lastError?: string }[];
}

export interface Series {
  stepSeconds: number;
  points?: Point[];
}

export interface Point {
  t: number; // seconds since the start
  connected: number;
  running: number;
  iterations: number; // a second, as the next ones
  publishes: number;
  received: number;
  requests: number;
  errors: number;
  lost: number;
  reconnects: number;
  connectP99: number; // milliseconds; 0: there was none
  publishP50: number;
  publishP99: number;
  requestP50: number;
  requestP99: number;
  memoryBytes: number;
}

/** A line of a chart. */
export interface Line {
  title: string;
  data: { x: number; y: number }[];
}

type Key = Exclude<keyof Point, "t">;

/** lines are those of a chart of some of a series' values, without those that are nothing all along. */
export function lines(points: Point[], of: Partial<Record<Key, string>>, gaps = false): Line[] {
  const list: Line[] = [];
  for (const [key, title] of Object.entries(of) as [Key, string][]) {
    const data = points.filter((p) => !gaps || p[key] > 0).map((p) => ({ x: p.t, y: p[key] }));
    if (data.some((d) => d.y > 0)) list.push({ title, data });
  }
  return list;
}

const round = (n: number, digits: number) => n.toLocaleString("en-US", { maximumFractionDigits: digits });

/** A number as it is read: 12,345 · 12.3 · 0.012. */
export const figure = (n: number): string => round(n, Math.abs(n) >= 100 ? 0 : Math.abs(n) >= 1 ? 1 : 3);

/** A metric's value in the unit that its name ends with. */
export const measured = (name: string, n: number | undefined): string => (n === undefined ? "-" : name.endsWith("_ms") ? `${figure(n)} ms` : figure(n));

export const share = (n: number): string => `${round(n * 100, 2)} %`;

/** What is to be read of a metric at a glance. */
export function summaryOf(m: Metric): string {
  switch (m.kind) {
    case "counter":
      return `${figure(m.count)} (${figure(m.rate)} a second)`;
    case "gauge":
      return measured(m.name, m.value ?? 0);
    case "rate":
      return `${share(m.value ?? 0)} of ${figure(m.count)}`;
    case "trend":
      return `${measured(m.name, m.p50 ?? 0)} (median of ${figure(m.count)})`;
  }
}

/** How long something took: 850 ms · 12.3 s · 4 min 05 s · 1 h 02 min. */
export function took(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${round(ms / 1000, 1)} s`;
  const seconds = Math.round(ms / 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
}

export function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  if (n < 1 << 20) return `${round(n / 1024, 1)} KiB`;
  return `${round(n / (1 << 20), 1)} MiB`;
}
