/** A value of a shadow that is another one now. */
export interface Change {
  path: string; // reported.temperature
  from?: string; // JSON; nothing: it was not there
  to?: string; // JSON; nothing: it is gone
}

const isMap = (v: unknown): v is Record<string, unknown> => typeof v === "object" && v !== null && !Array.isArray(v);

/** changes lists what differs between two states, value by value; an array is one value, as shadows have it. */
export function changes(from: unknown, to: unknown, path = ""): Change[] {
  const a = isMap(from) ? from : from === undefined ? {} : undefined;
  const b = isMap(to) ? to : to === undefined ? {} : undefined;
  if (a && b && (from !== undefined || to !== undefined)) {
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((k) => changes(a[k], b[k], path ? `${path}.${k}` : k));
  }
  const was = from === undefined ? undefined : JSON.stringify(from);
  const is = to === undefined ? undefined : JSON.stringify(to);
  return was === is ? [] : [{ path, from: was, to: is }];
}
