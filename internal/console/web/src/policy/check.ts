import { parseJSON, place, type Fault, type Member, type Node } from "./json";

/** What a document is for: an identity's permissions, a role's trust, a device's. */
export type Kind = "identity" | "trust" | "iot";

const elements = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition"];

/**
 * checkPolicy finds what is wrong with a policy as it is written. The server
 * decides; this is what can be said while one writes.
 */
export function checkPolicy(text: string, kind: Kind): Fault[] {
  const read = parseJSON(text);
  if ("fault" in read) return [read.fault];
  const faults: Fault[] = [];
  const fault = (at: number, message: string) => faults.push({ ...place(text, at), message });
  const root = read.node;
  if (root.kind !== "object") {
    fault(root.at, "A policy is an object: { … }");
    return faults;
  }
  for (const m of root.members) {
    if (!["Version", "Id", "Statement"].includes(m.key)) fault(m.at, `Unknown element ${JSON.stringify(m.key)}${meant(m.key, ["Version", "Id", "Statement"])}`);
  }
  const version = get(root.members, "Version");
  if (version && !(version.kind === "string" && ["2012-10-17", "2008-10-17"].includes(version.value))) {
    fault(version.at, 'Version must be "2012-10-17" or "2008-10-17": it is that of the language, not a date of yours');
  }
  const statement = get(root.members, "Statement");
  if (!statement) {
    fault(root.at, 'Missing element "Statement"');
    return faults;
  }
  const statements = statement.kind === "array" ? statement.items : [statement];
  if (statements.length === 0) fault(statement.at, "There is no statement");
  for (const s of statements) {
    if (s.kind !== "object") fault(s.at, "A statement is an object: { … }");
    else checkStatement(s, kind, fault);
  }
  return faults.sort((a, b) => a.line - b.line || a.column - b.column);
}

function checkStatement(s: Node & { kind: "object" }, kind: Kind, fault: (at: number, message: string) => void): void {
  for (const m of s.members) {
    if (!elements.includes(m.key)) fault(m.at, `Unknown element ${JSON.stringify(m.key)}${meant(m.key, elements)}`);
  }
  const effect = get(s.members, "Effect");
  if (!effect) fault(s.at, 'The statement lacks "Effect"');
  else if (effect.kind !== "string" || !["Allow", "Deny"].includes(effect.value)) fault(effect.at, 'Effect must be "Allow" or "Deny"');

  const one = (a: string, b: string, needed: boolean) => {
    const [first, second] = [s.members.find((m) => m.key === a), s.members.find((m) => m.key === b)];
    if (first && second) fault(second.at, `A statement has either "${a}" or "${b}"`);
    if (!first && !second && needed) fault(s.at, `The statement lacks "${a}"`);
    return first ?? second;
  };
  const actions = one("Action", "NotAction", true);
  if (actions) {
    for (const t of texts(actions, fault)) {
      if (t.value !== "*" && !/^[A-Za-z0-9-]+:[A-Za-z0-9*?]+$/.test(t.value)) fault(t.at, `${JSON.stringify(t.value)} is no action: they are written service:Action`);
    }
  }
  const resources = one("Resource", "NotResource", kind !== "trust");
  if (resources && kind === "trust") fault(resources.at, "A trust policy has no Resource: it is about its role");
  else if (resources) {
    for (const t of texts(resources, fault)) {
      if (t.value !== "*" && !/^(arn|\*):/.test(t.value) && !t.value.includes("*")) fault(t.at, `${JSON.stringify(t.value)} is neither "*" nor an ARN`);
    }
  }
  const principal = one("Principal", "NotPrincipal", kind === "trust");
  if (principal && kind !== "trust") fault(principal.at, "Principal is for trust policies: this one says what whoever has it may do");
  const condition = get(s.members, "Condition");
  if (condition && condition.kind !== "object") fault(condition.at, "Condition is an object: { operator: { key: value } }");
}

/** The texts of an element: one, or a list. */
function texts(m: Member, fault: (at: number, message: string) => void): (Node & { kind: "string" })[] {
  const nodes = m.value.kind === "array" ? m.value.items : [m.value];
  if (nodes.length === 0) fault(m.value.at, `${m.key} is empty`);
  return nodes.filter((n): n is Node & { kind: "string" } => {
    if (n.kind !== "string") fault(n.at, `${m.key} is a text or a list of texts`);
    return n.kind === "string";
  });
}

const get = (members: Member[], key: string) => members.find((m) => m.key === key)?.value;

/** What a misspelt name may have meant. */
function meant(name: string, names: string[]): string {
  const lower = name.toLowerCase();
  const near = names.find((n) => n.toLowerCase() === lower || n.toLowerCase() + "s" === lower || [...lower].sort().join("") === [...n.toLowerCase()].sort().join(""));
  return near ? `: did you mean "${near}"?` : "";
}
