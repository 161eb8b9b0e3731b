import { credentials } from "../session/credentials";
import { own } from "../session/own";

/** A refusal as ExplainRefusal tells it (internal/explain/report.go), as far as it is shown. */
export interface Refusal {
  Principal: string;
  Action: string;
  Resource: string;
  AccountId: string;
  Outcome: "implicitDeny" | "explicitDeny";
  PolicyType: string;
  PolicyId?: string;
  Reason: string;
  PolicyOwner?: string;
  Suggestion?: string; // a statement that would allow the request
  Statements: Statement[];
}

export interface Statement {
  PolicyType: string;
  PolicyId: string;
  Sid?: string;
  Position: number;
  Effect: "Allow" | "Deny";
  Start: { Line: number; Column: number };
  Applies: boolean;
  Decided: boolean;
  Mismatch?: string;
  Nearly: boolean; // it would have allowed the request, if its conditions held
  Resources: string[];
  NotResources: boolean;
  Conditions: Condition[];
}

export interface Condition {
  Operator: string;
  Key: string;
  Wanted: string[];
  Present: boolean;
  Values: string[];
  Holds: boolean;
}

/** explain asks why a request was refused. */
export const explain = async (id: string): Promise<Refusal> => (await own<{ Refusal: Refusal }>("GET", `/thingd/refusals/${encodeURIComponent(id)}`)).Refusal;

/** Whose asking has been refused: those are not offered it again. */
const denied = new Set<string>();

export const mayAsk = async (): Promise<boolean> => !denied.has((await credentials()).accessKeyId);
export const mayNotAsk = async (): Promise<void> => void denied.add((await credentials()).accessKeyId);

/** The statements that came near: of the request's action and caller, or whatever decided. */
export const near = (r: Refusal): Statement[] => r.Statements.filter((s) => s.Decided || (s.Mismatch !== "Action" && s.Mismatch !== "Principal"));

const few = (values: string[]): string => (values.length > 3 ? `${values.slice(0, 3).join(", ")} and ${values.length - 3} more` : values.join(", "));

/** Whether a statement applies, and if not why. */
export function applies(s: Statement): string {
  switch (s.Mismatch) {
    case undefined:
    case "":
      return s.Decided ? "Yes, and decides" : "Yes";
    case "Resource":
      return s.NotResources ? `No: the resource is among ${few(s.Resources)}` : `No: the resource is not ${few(s.Resources)}`;
    case "Action":
    case "Principal":
      return `No: the ${s.Mismatch.toLowerCase()} is another`;
    default:
      return `No: ${s.Conditions.filter((c) => !c.Holds).map(condition).join("; ") || `the condition ${s.Mismatch} does not hold`}`;
  }
}

/** A condition, and what the request has of its key. */
export const condition = (c: Condition): string => `${c.Operator} ${c.Key} wants ${few(c.Wanted)}, the request has ${c.Present ? few(c.Values) : "nothing"}`;

/** Where the statement belongs that would allow the request. */
export function home(r: Refusal): string {
  switch (r.PolicyType) {
    case "permissions boundary":
      return r.PolicyId ? `the permissions boundary ${r.PolicyId}` : `the permissions boundary of ${r.Principal}`;
    case "session policy":
      return `the session policy that was passed for ${r.Principal}`;
    case "role trust policy":
      return `the trust policy of ${r.Resource}`;
    case "resource-based policy":
      return `the policy of ${r.Resource}`;
    case "IoT policy":
      return `an IoT policy attached to ${r.Principal}`;
  }
  const role = /:assumed-role\/([^/]+)/.exec(r.Principal);
  if (role) return `a policy of the role ${role[1]}`;
  return `a policy of ${r.Principal.includes(":federated-user/") && r.PolicyOwner ? r.PolicyOwner : r.Principal}`;
}

/** What to do about it, in a sentence; the statement that would allow it stands below. */
export function advice(r: Refusal): { text: string; statement?: string } | undefined {
  if (r.Outcome === "explicitDeny") {
    const decided = r.Statements.find((s) => s.Decided);
    if (decided?.Conditions.length) return { text: `It is denied while this holds, whatever else allows it: ${decided.Conditions.map(condition).join("; ")}.` };
    return { text: "No statement that allows it helps while this one denies it: change that, or detach its policy." };
  }
  if (r.Statements.some((s) => s.Nearly)) return { text: "A statement below allows it under conditions that do not hold." };
  if (!r.Suggestion) return undefined;
  const account = r.Resource.split(":")[4];
  if (r.PolicyType === "role trust policy" && !r.Statements.some((s) => s.PolicyType === r.PolicyType)) {
    if (account === r.AccountId) return { text: "There is no such role in this account." };
    return { text: `The role's trust policy, if there is such a role, is another account's and not told: ask the owner of account ${account}.` };
  }
  return { text: `This statement in ${home(r)} would allow it:`, statement: pretty(r.Suggestion) };
}

function pretty(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json), null, 2);
  } catch {
    return json;
  }
}
