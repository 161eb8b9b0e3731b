import { parseJSON } from "../../../policy/json";

/** A statement as the form has it: lists with commas between. */
export interface Row {
  effect: "Allow" | "Deny";
  action: string;
  resource: string;
}

export const emptyRow: Row = { effect: "Allow", action: "", resource: "" };

const words = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);

const one = (all: string[]) => (all.length === 1 ? all[0] : all);

/** documentOf writes the policy that rows of the form say. */
export function documentOf(rows: Row[]): string {
  const statements = rows.map((r) => ({ Effect: r.effect, Action: one(words(r.action)), Resource: one(words(r.resource)) }));
  return JSON.stringify({ Version: "2012-10-17", Statement: statements }, null, 2);
}

/** rowsOf reads a policy into rows of the form; undefined: it says more than the form can. */
export function rowsOf(document: string): Row[] | undefined {
  if ("fault" in parseJSON(document)) return undefined;
  const policy = JSON.parse(document) as { Version?: unknown; Statement?: unknown };
  if (policy === null || typeof policy !== "object" || Array.isArray(policy)) return undefined;
  if (Object.keys(policy).some((k) => !["Version", "Statement"].includes(k)) || policy.Version !== "2012-10-17") return undefined;
  const rows: Row[] = [];
  for (const s of Array.isArray(policy.Statement) ? (policy.Statement as unknown[]) : [policy.Statement]) {
    if (s === null || typeof s !== "object" || Array.isArray(s)) return undefined;
    const { Effect, Action, Resource, ...rest } = s as Record<string, unknown>;
    const [action, resource] = [list(Action), list(Resource)];
    if (Object.keys(rest).length || (Effect !== "Allow" && Effect !== "Deny") || !action || !resource) return undefined;
    rows.push({ effect: Effect, action: action.join(", "), resource: resource.join(", ") });
  }
  return rows.length ? rows : undefined;
}

function list(v: unknown): string[] | undefined {
  const all: unknown[] = Array.isArray(v) ? v : [v];
  return all.every((x): x is string => typeof x === "string" && !/[\s,]/.test(x)) ? all : undefined;
}

/** What is wrong with a row, by field. */
export function rowFault(r: Row): { action?: string; resource?: string } {
  const wrong = words(r.action).find((a) => a !== "*" && !/^[A-Za-z0-9-]+:[A-Za-z0-9*?]+$/.test(a));
  const place = words(r.resource).find((x) => x !== "*" && !/^(arn|\*):/.test(x) && !x.includes("*"));
  return {
    action: words(r.action).length === 0 ? "Enter actions, with commas between: iot:Connect, iot:Publish" : wrong && `"${wrong}" is no action: they are written iot:Connect`,
    resource: words(r.resource).length === 0 ? 'Enter "*" or ARNs, with commas between.' : place && `"${place}" is neither "*" nor an ARN`,
  };
}
