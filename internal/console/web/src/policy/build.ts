export interface NewStatement {
  Effect: "Allow" | "Deny";
  Action: string[];
  Resource: string[];
  Condition?: Record<string, Record<string, string>>;
}

interface Policy {
  Version?: string;
  Id?: string;
  Statement?: unknown;
}

const read = (document: string): Policy => {
  try {
    const policy: unknown = JSON.parse(document);
    return policy !== null && typeof policy === "object" && !Array.isArray(policy) ? policy : {};
  } catch {
    return {};
  }
};

const list = (policy: Policy): unknown[] => (policy.Statement === undefined ? [] : Array.isArray(policy.Statement) ? policy.Statement : [policy.Statement]);

/** The statement of a sample, which nobody wrote: it says nothing yet. */
const unwritten = (s: unknown) => {
  const action = (s as { Action?: unknown } | null)?.Action;
  return Array.isArray(action) && action.length === 0;
};

const written = (policy: Policy, statements: unknown[]) => JSON.stringify({ Version: policy.Version ?? "2012-10-17", ...(policy.Id ? { Id: policy.Id } : {}), Statement: statements }, null, 4);

const one = (values: string[]) => (values.length === 1 ? values[0] : values);

/** addStatement adds to a document, or begins one. */
export function addStatement(document: string, s: NewStatement): string {
  const policy = read(document);
  const statement = { Effect: s.Effect, Action: one(s.Action), Resource: one(s.Resource), ...(s.Condition ? { Condition: s.Condition } : {}) };
  return written(policy, [...list(policy).filter((x) => !unwritten(x)), statement]);
}

/** removeStatement takes away the statement at an index. */
export function removeStatement(document: string, index: number): string {
  const policy = read(document);
  return written(
    policy,
    list(policy).filter((_, i) => i !== index),
  );
}
