/** The topics of a shadow of a thing: the classic one without a name. */
export function shadowTopics(thing: string, shadow?: string): { name: string; action: string; topic: string }[] {
  const base = `$aws/things/${thing}/shadow${shadow ? `/name/${shadow}` : ""}`;
  const of = (verb: string, action: string, answers: string[]) => [
    { name: `/${verb}`, action: "Publish", topic: `${base}/${verb}` },
    ...answers.map((a) => ({ name: `/${verb}/${a}`, action, topic: `${base}/${verb}/${a}` })),
  ];
  return [...of("get", "Subscribe", ["accepted", "rejected"]), ...of("update", "Subscribe", ["delta", "accepted", "documents", "rejected"]), ...of("delete", "Subscribe", ["accepted", "rejected"])];
}

/** What a shadow's document says, besides its state. */
export interface ShadowDocument {
  state?: { desired?: unknown; reported?: unknown; delta?: unknown };
  metadata?: unknown;
  version?: number;
  timestamp?: number; // seconds
}

export function readShadow(text: string): ShadowDocument {
  try {
    return JSON.parse(text) as ShadowDocument;
  } catch {
    return {};
  }
}

/**
 * updateFor is the request by which a shadow's state becomes another one: what
 * is gone is set to null, since an update merges.
 */
export function updateFor(before: ShadowDocument["state"], after: Record<string, unknown>): Record<string, unknown> {
  const state: Record<string, unknown> = {};
  for (const part of ["desired", "reported"] as const) {
    const [was, is] = [before?.[part], after[part]];
    if (is === undefined || is === null) {
      if (was !== undefined) state[part] = null;
    } else state[part] = without(was, is);
  }
  return state;
}

const isMap = (v: unknown): v is Record<string, unknown> => v !== null && typeof v === "object" && !Array.isArray(v);

function without(was: unknown, is: unknown): unknown {
  if (!isMap(was) || !isMap(is)) return is;
  const merged: Record<string, unknown> = {};
  for (const key of Object.keys(was)) if (!(key in is)) merged[key] = null;
  for (const [key, value] of Object.entries(is)) merged[key] = without(was[key], value);
  return merged;
}
