import { describe, expect, test } from "vitest";
import { advice, applies, home, near, type Condition, type Refusal, type Statement } from "./refusal";

const statement = (s: Partial<Statement>): Statement => ({
  PolicyType: "identity-based policy",
  PolicyId: "own",
  Position: 1,
  Effect: "Allow",
  Start: { Line: 3, Column: 5 },
  Applies: false,
  Decided: false,
  Nearly: false,
  Resources: [],
  NotResources: false,
  Conditions: [],
  ...s,
});

const refusal = (r: Partial<Refusal>): Refusal => ({
  Principal: "arn:aws:iam::123456789012:user/ann",
  Action: "iot:ListThings",
  Resource: "*",
  AccountId: "123456789012",
  Outcome: "implicitDeny",
  PolicyType: "identity-based policy",
  Reason: "because no identity-based policy allows the iot:ListThings action",
  Statements: [],
  ...r,
});

const mfa: Condition = { Operator: "Bool", Key: "aws:MultiFactorAuthPresent", Wanted: ["true"], Present: false, Values: [], Holds: false };

describe("a refusal", () => {
  test("shows the statements of its action and caller, and what decided", () => {
    const list = [statement({ Mismatch: "Action" }), statement({ Mismatch: "Principal", Decided: true }), statement({ Mismatch: "Resource" }), statement({ Applies: true })];
    expect(near(refusal({ Statements: list }))).toEqual(list.slice(1));
  });

  test.each<[Partial<Statement>, string]>([
    [{ Applies: true }, "Yes"],
    [{ Applies: true, Decided: true, Effect: "Deny" }, "Yes, and decides"],
    [{ Mismatch: "Resource", Resources: ["a", "b", "c", "d", "e"] }, "No: the resource is not a, b, c and 2 more"],
    [{ Mismatch: "Resource", Resources: ["a"], NotResources: true }, "No: the resource is among a"],
    [{ Mismatch: "Action", Decided: true }, "No: the action is another"],
    [{ Mismatch: "Bool", Conditions: [mfa, { ...mfa, Key: "aws:PrincipalTag/team", Wanted: ["red"], Present: true, Values: ["blue"] }] }, "No: Bool aws:MultiFactorAuthPresent wants true, the request has nothing; Bool aws:PrincipalTag/team wants red, the request has blue"],
  ])("%o: %s", (s, text) => expect(applies(statement(s))).toBe(text));

  test("says what would allow it, and where that belongs", () => {
    expect(advice(refusal({ Suggestion: '{"Effect":"Allow"}' }))).toEqual({ text: "This statement in a policy of arn:aws:iam::123456789012:user/ann would allow it:", statement: '{\n  "Effect": "Allow"\n}' });
    expect(advice(refusal({}))).toBeUndefined();
    expect(advice(refusal({ Suggestion: "{}", Statements: [statement({ Nearly: true })] }))?.text).toMatch(/^A statement below allows it under conditions/);
    expect(advice(refusal({ Outcome: "explicitDeny", Suggestion: "{}" }))?.text).toMatch(/^No statement that allows it helps/);
    expect(advice(refusal({ Outcome: "explicitDeny", Statements: [statement({ Decided: true, Conditions: [mfa] })] }))?.text).toMatch(/^It is denied while this holds/);
  });

  test("of a role's trust does not tell another account's", () => {
    const trust = (account: string) => advice(refusal({ PolicyType: "role trust policy", Resource: `arn:aws:iam::${account}:role/cameras`, Suggestion: "{}" }))?.text;
    expect(trust("123456789012")).toBe("There is no such role in this account.");
    expect(trust("999999999999")).toMatch(/ask the owner of account 999999999999/);
  });

  test.each<[Partial<Refusal>, string]>([
    [{ PolicyType: "permissions boundary", PolicyId: "arn:b" }, "the permissions boundary arn:b"],
    [{ PolicyType: "role trust policy", Resource: "arn:r" }, "the trust policy of arn:r"],
    [{ PolicyType: "IoT policy", Principal: "arn:cert" }, "an IoT policy attached to arn:cert"],
    [{ Principal: "arn:aws:sts::1:assumed-role/cameras/session" }, "a policy of the role cameras"],
    [{ Principal: "arn:aws:sts::1:federated-user/x", PolicyOwner: "arn:u" }, "a policy of arn:u"],
  ])("belongs: %o", (r, text) => expect(home(refusal(r))).toBe(text));
});
