/** What a policy says, service by service: AWS's policy summary. */
export interface Line {
  effect: "Allow" | "Deny";
  service: string; // iot
  access: string; // Full access; Limited: Read, Write
  resource: string;
  condition: string;
}

interface Statement {
  Effect?: string;
  Action?: string | string[];
  NotAction?: string | string[];
  Resource?: string | string[];
  NotResource?: string | string[];
  Condition?: Record<string, Record<string, string | string[]>>;
}

const list = (v: string | string[] | undefined): string[] => (v === undefined ? [] : Array.isArray(v) ? v : [v]);

/** The statements of a document; none where it cannot be read. */
export function statements(document: string): Statement[] {
  try {
    const policy = JSON.parse(document) as { Statement?: Statement | Statement[] };
    return policy.Statement === undefined ? [] : Array.isArray(policy.Statement) ? policy.Statement : [policy.Statement];
  } catch {
    return [];
  }
}

/** summarize lists a document's services, denials first. */
export function summarize(document: string): Line[] {
  const lines: Line[] = [];
  for (const s of statements(document)) {
    const effect = s.Effect === "Deny" ? "Deny" : "Allow";
    const resource = s.Resource !== undefined ? some(list(s.Resource)) : s.NotResource !== undefined ? `All but ${some(list(s.NotResource))}` : "-";
    const condition = conditions(s);
    if (s.NotAction !== undefined) {
      lines.push({ effect, service: "All services", access: `All but ${list(s.NotAction).join(", ")}`, resource, condition });
      continue;
    }
    const services = new Map<string, string[]>();
    for (const action of list(s.Action)) {
      const cut = action.indexOf(":");
      const service = cut < 0 ? "All services" : action.slice(0, cut).toLowerCase();
      services.set(service, [...(services.get(service) ?? []), cut < 0 ? action : action.slice(cut + 1)]);
    }
    for (const [service, names] of services) lines.push({ effect, service, access: accessOf(names), resource, condition });
  }
  return lines.sort((a, b) => (a.effect === b.effect ? a.service.localeCompare(b.service) : a.effect === "Deny" ? -1 : 1));
}

function some(all: string[]): string {
  if (all.includes("*")) return "All resources";
  return all.length === 1 ? (all[0] ?? "") : "Multiple";
}

function conditions(s: Statement): string {
  const all = Object.entries(s.Condition ?? {}).flatMap(([operator, keys]) =>
    Object.entries(keys ?? {}).map(([key, values]) => `${key} | ${operator} | ${list(values as string | string[]).join(", ")}`),
  );
  return all.length === 0 ? "None" : all.length === 1 ? (all[0] ?? "") : "Multiple";
}

/** The access level of an action, by its name. */
export function levelOf(action: string): "List" | "Read" | "Tagging" | "Permissions management" | "Write" {
  if (/^(Un)?[Tt]ag/.test(action)) return "Tagging";
  if (/^List/.test(action)) return "List";
  if (/^(Get|Describe|Search|Simulate|Test|Lookup|View|BatchGet)/.test(action)) return "Read";
  if (/(Policy|PolicyVersion|PermissionsBoundary|PrincipalPolicy)$/.test(action)) return "Permissions management";
  return "Write";
}

function accessOf(actions: string[]): string {
  if (actions.includes("*")) return "Full access";
  const levels = [...new Set(actions.map(levelOf))].sort();
  return `Limited: ${levels.join(", ")}`;
}
