/** Device models (internal/fleet/model), and what the editor does with them. */

export interface Model {
  name: string;
  description?: string;
  settings?: ModelSetting[];
  protocol?: Protocol;
  script?: string;
  stages: Record<string, string>;
  sequence?: string[];
  run?: RunSettings;
  minIterations?: number;
}

export interface ModelSetting {
  name: string;
  label?: string;
  description?: string;
  default?: string;
  required?: boolean;
  secret?: boolean;
}

export interface Protocol {
  type: string;
  endpoint?: string;
  version?: string;
  security?: string;
  certificate?: string;
  key?: string;
  ca?: string;
  clientId?: string;
  username?: string;
  password?: string;
  keepAlive?: string;
  cleanSession?: boolean;
  topic?: string;
  qos?: number;
  retain?: boolean;
  subscribe?: { filter: string; qos?: number }[];
  will?: { topic: string; payload?: string; qos?: number; retain?: boolean };
}

export interface RunSettings {
  clients?: number;
  iterations?: number;
  interval?: string;
  jitter?: string;
  rampUp?: string;
  gap?: string;
  offset?: number;
  connectLimit?: number;
  requestLimit?: number;
  duration?: string;
  seed?: number;
  time?: "real" | "virtual";
  network?: { latency?: string; jitter?: string; loss?: number; disconnectEvery?: string };
  thresholds?: string[];
  keepState?: boolean;
}

/** whole says all of run settings, also what they leave at its standard: nothing shows through of what they are put over. */
export const whole = (r: RunSettings): Required<RunSettings> => ({
  clients: 1,
  iterations: 0,
  interval: "0s",
  jitter: "0s",
  rampUp: "0s",
  gap: "0s",
  offset: 0,
  connectLimit: 0,
  requestLimit: 0,
  duration: "0s",
  seed: 0,
  time: "real",
  thresholds: [],
  keepState: false,
  ...r,
  network: { latency: "0s", jitter: "0s", loss: 0, disconnectEvery: "0s", ...r.network },
});

/** Stages that every model may have; what is between them is the model's own. */
export const standard = ["init", "running", "finished", "message"];

/** When a stage runs. */
export const when: Record<string, string> = {
  init: "Runs once for each device, before it connects.",
  running: "Runs at each iteration. What it returns is published.",
  finished: "Runs once for each device, at the end.",
  message: "Runs for each message that the device receives, as the variable message.",
};

/** stageNames are those that the editor shows: in the order in which they run. */
export function stageNames(m: Model): string[] {
  const has = Object.keys(m.stages);
  const own = [...new Set(m.sequence ?? [])].filter((n) => !standard.includes(n) && has.includes(n));
  const rest = has.filter((n) => !standard.includes(n) && !own.includes(n)).sort();
  const running = m.sequence?.length && !has.includes("running") ? [] : ["running"];
  return ["init", ...own, ...rest, ...running, "finished", "message"];
}

/** withStage sets a stage's text; a standard stage that has none is left out, as nobody wrote it. */
export function withStage(m: Model, name: string, text: string): Model {
  const stages = { ...m.stages, [name]: text };
  if (standard.includes(name) && text.trim() === "" && !m.sequence?.includes(name)) delete stages[name];
  return { ...m, stages };
}

export function withoutStage(m: Model, name: string): Model {
  const { [name]: _, ...stages } = m.stages;
  return withSequence({ ...m, stages }, (m.sequence ?? []).filter((n) => n !== name));
}

export function withSequence(m: Model, sequence: string[]): Model {
  const { sequence: _, ...rest } = m;
  return sequence.length ? { ...rest, sequence } : rest;
}

export function stageFault(m: Model, name: string): string | undefined {
  if (!name) return "Enter a name.";
  if (!/^[A-Za-z_$][A-Za-z0-9_$]{0,63}$/.test(name)) return "Up to 64 letters, digits, _ and $, a digit not first.";
  return stageNames(m).includes(name) ? `There is a stage ${name} already.` : undefined;
}

/** moved is a list with one of its items a place further up or down. */
export function moved<T>(list: T[], index: number, by: -1 | 1): T[] {
  const to = index + by;
  if (to < 0 || to >= list.length) return list;
  const out = [...list];
  const [item] = out.splice(index, 1);
  out.splice(to, 0, item as T);
  return out;
}

/** The document of a model, laid out for people. */
export const documentOf = (m: Model): string => JSON.stringify(cleaned(m), null, 2);

/** readModel reads a document as far as the editor has to understand it; the rest is the server's to say. */
export function readModel(text: string): Model | { fault: string } {
  let v: unknown;
  try {
    v = JSON.parse(text);
  } catch (e) {
    return { fault: e instanceof Error ? e.message : String(e) };
  }
  const map = (x: unknown) => typeof x === "object" && x !== null && !Array.isArray(x);
  if (!map(v)) return { fault: "A device model is a JSON object." };
  const m = v as Model;
  if (typeof m.name !== "string") return { fault: 'The device model has no "name".' };
  if (!map(m.stages) || !Object.values(m.stages).every((s) => typeof s === "string")) return { fault: '"stages" is an object of texts: {"init": "…", "running": "…"}.' };
  if (m.sequence !== undefined && !(Array.isArray(m.sequence) && m.sequence.every((s) => typeof s === "string"))) return { fault: '"sequence" is a list of names of stages.' };
  if (m.settings !== undefined && !(Array.isArray(m.settings) && m.settings.every((s) => map(s) && typeof s.name === "string"))) return { fault: '"settings" is a list of objects with a "name".' };
  if (m.protocol !== undefined && !map(m.protocol)) return { fault: '"protocol" is an object.' };
  if (m.protocol?.subscribe !== undefined && !Array.isArray(m.protocol.subscribe)) return { fault: '"subscribe" is a list.' };
  return m;
}

/** A value without the members that say nothing: undefined, "", 0, false. */
const lean = <T extends object>(v: T): T => Object.fromEntries(Object.entries(v).filter(([, x]) => x !== undefined && x !== "" && x !== 0 && x !== false)) as T;

/** cleaned is a model as it is kept: without what the forms left empty. */
export function cleaned(m: Model): Model {
  const { description, script, settings, protocol, minIterations, ...rest } = m;
  return {
    ...rest,
    ...lean({ description, script, minIterations }),
    ...(settings?.length ? { settings: settings.map(lean) } : {}),
    ...(protocol ? { protocol: cleanedProtocol(protocol) } : {}),
  };
}

function cleanedProtocol({ cleanSession, subscribe, will, ...rest }: Protocol): Protocol {
  const filters = subscribe?.filter((s) => s.filter !== "").map(lean);
  return {
    ...lean(rest),
    ...(cleanSession === false ? { cleanSession } : {}),
    ...(filters?.length ? { subscribe: filters } : {}),
    ...(will?.topic ? { will: lean(will) } : {}),
  };
}

/** What a new model is at first: a device that says hello. */
export const start = (name: string): Model => ({
  name,
  stages: {
    init: "// Runs once for each device. client() is its number, from 0.\nstate.count = 0;\n",
    running: "// Runs at each iteration. What is returned is published.\nstate.count++;\nreturn { device: client(), count: state.count };\n",
  },
});

export function nameFault(name: string): string | undefined {
  if (!name) return "Enter a name.";
  return /^[a-zA-Z0-9:_-]{1,128}$/.test(name) ? undefined : "Up to 128 letters, digits, and the characters : _ -";
}
