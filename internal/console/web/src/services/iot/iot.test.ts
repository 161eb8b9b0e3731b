import { describe, expect, test } from "vitest";
import { attributesFault, fileNames, lastOf, nameFault, policyPattern, weight } from "./names";
import { documentOf, rowFault, rowsOf } from "./policies/statements";
import { shown } from "./retained/payload";
import { readShadow, shadowTopics, updateFor } from "./shadows/topics";
import { manyNames } from "./things/manyNames";
import { startPolicy } from "./connect/startPolicy";
import { checkPolicy } from "../../policy/check";

test("names of files are the tutorial's", () => {
  expect(fileNames("0123456789abcdef")).toEqual({ certificate: "0123456789-certificate.pem.crt", privateKey: "0123456789-private.pem.key", publicKey: "0123456789-public.pem.key", root: "AmazonRootCA1.pem" });
});

describe("names", () => {
  test.each([
    ["MyIotThing", undefined],
    ["a:b_c-1", undefined],
    ["", "Enter a thing name."],
    ["a b", "A thing name has letters, digits, and : _ - only."],
    ["x".repeat(129), "A thing name has up to 128 characters."],
  ])("%j", (name, want) => expect(nameFault(name, "thing name")).toBe(want));
  test("of policies", () => {
    expect(nameFault("a+=,.@_-", "policy name", policyPattern)).toBe(undefined);
    expect(nameFault("a:b", "policy name", policyPattern)).toBe("A policy name has letters, digits, and + = , . @ _ - only.");
  });
  test("last parts of ARNs", () => {
    expect(["arn:aws:iot:r:1:cert/abc", "arn:aws:iam::1:role/path/name", undefined].map(lastOf)).toEqual(["abc", "path/name", ""]);
  });
});

describe("attributes", () => {
  const about = (...pairs: [string, string][]) => attributesFault(pairs.map(([name, value]) => ({ name, value })));
  test.each([
    [[["model", "x=[1]"]], undefined],
    [[["", "x"]], "An attribute has no key."],
    [[["a", "1"], ["a", "2"]], 'The attribute "a" is there twice.'],
    [[["a b", "1"]], /^The attribute key "a b" has other than/],
    [[["a", "ü"]], /^The value of "a" has other than/],
  ] as [[string, string][], string | RegExp | undefined][])("%j", (pairs, want) => (want instanceof RegExp ? expect(about(...pairs)).toMatch(want) : expect(about(...pairs)).toBe(want)));
});

describe("statements in a form", () => {
  test("a policy is written as the tutorial's", () => {
    const row = { effect: "Allow", action: "iot:Connect, iot:Publish,\n iot:Receive", resource: "*" } as const;
    expect(JSON.parse(documentOf([row]))).toEqual({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: ["iot:Connect", "iot:Publish", "iot:Receive"], Resource: "*" }] });
    expect(checkPolicy(documentOf([row]), "iot")).toEqual([]);
    expect(rowFault(row)).toEqual({ action: undefined, resource: undefined });
  });
  test("and read again", () => {
    const rows = [
      { effect: "Allow", action: "iot:Connect", resource: "arn:aws:iot:r:1:client/a, arn:aws:iot:r:1:client/b" },
      { effect: "Deny", action: "iot:*", resource: "*" },
    ] as const;
    expect(rowsOf(documentOf([...rows]))).toEqual(rows);
    expect(rowsOf('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}')).toEqual([{ effect: "Allow", action: "iot:Connect", resource: "*" }]);
  });
  test.each([
    "",
    "[]",
    "null",
    '{"Version":"2008-10-17","Statement":[]}',
    '{"Version":"2012-10-17","Statement":[]}',
    '{"Version":"2012-10-17","Id":"x","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*"}}',
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"iot:Connect","Resource":"*"}}',
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Connect","Resource":"*","Condition":{}}}',
    '{"Version":"2012-10-17","Statement":{"Effect":"allow","Action":"iot:Connect","Resource":"*"}}',
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:Publish","Resource":"arn:aws:iot:r:1:topic/a b"}}',
    '{"Version":"2012-10-17","Statement":["x"]}',
  ])("says more than the form can, or nothing: %s", (text) => expect(rowsOf(text)).toBe(undefined));
  test("what is wrong with a row", () => {
    expect(rowFault({ effect: "Allow", action: "", resource: "" })).toEqual({ action: "Enter actions, with commas between: iot:Connect, iot:Publish", resource: 'Enter "*" or ARNs, with commas between.' });
    expect(rowFault({ effect: "Allow", action: "iot:Connect, Publish", resource: "topic/a" })).toEqual({ action: '"Publish" is no action: they are written iot:Connect', resource: '"topic/a" is neither "*" nor an ARN' });
  });
});

test("white space does not weigh", () => expect(weight('{ "a" :\n\t1 }')).toBe('{"a":1}'.length));

test("the first policy of a device is one that the server takes", () => {
  const text = startPolicy("eu-central-1", "123456789012", "cam_1");
  expect(checkPolicy(text, "iot")).toEqual([]);
  expect(weight(startPolicy("eu-central-1", "123456789012", "x".repeat(64)))).toBeLessThan(2048);
});

describe("many names", () => {
  test.each([
    ["a\n b \n\nc", ["a", "b", "c"]],
    ["gate-[008-011]", ["gate-008", "gate-009", "gate-010", "gate-011"]],
    ["x[1-2]y, z", ["x1y", "x2y", "z"]],
  ])("%j", (text, want) => expect(manyNames(text)).toEqual({ list: want }));
  test.each([
    ["", "Enter names."],
    ["a b", "a b: A thing name has letters, digits, and : _ - only."],
    ["a\na", "a is there twice."],
    ["a[3-1]", "In a[3-1] the numbers go down."],
    ["a[1-999999999]", "No more than 1000 things at once."],
    [Array.from({ length: 1001 }, (_, i) => `t${i}`).join("\n"), "No more than 1000 things at once."],
  ])("%j", (text, want) => expect(manyNames(text).fault).toBe(want));
});

describe("shadows", () => {
  test("topics", () => {
    expect(shadowTopics("t").map((x) => x.topic)).toContain("$aws/things/t/shadow/update/delta");
    expect(shadowTopics("t", "s").map((x) => x.topic)).toContain("$aws/things/t/shadow/name/s/get/accepted");
  });
  test.each([
    [{ desired: { a: 1 } }, { desired: { a: 2 } }, { desired: { a: 2 } }],
    [{ desired: { a: 1, b: { c: 1, d: 2 } } }, { desired: { b: { d: 3 } } }, { desired: { a: null, b: { c: null, d: 3 } } }],
    [{ desired: { a: 1 }, reported: { a: 1 } }, { reported: { a: 1 } }, { desired: null, reported: { a: 1 } }],
    [{ desired: { a: [1, 2] } }, { desired: { a: [2] } }, { desired: { a: [2] } }],
    [undefined, { reported: { on: true } }, { reported: { on: true } }],
    [{ desired: { a: { b: 1 } } }, { desired: { a: 5 } }, { desired: { a: 5 } }],
  ])("from %j to %j", (before, after, want) => expect(updateFor(before, after)).toEqual(want));
  test("a document that cannot be read", () => expect(readShadow("x")).toEqual({}));
});

describe("payloads", () => {
  const bytes = (...b: number[]) => new Uint8Array(b);
  test.each([
    [new TextEncoder().encode('{"a":1}'), "JSON", '{\n  "a": 1\n}'],
    [new TextEncoder().encode("grüße\n"), "Text", "grüße\n"],
    [bytes(0x1f, 0x8b, 0), "Hexadecimal", "1f 8b 00"],
    [bytes(0x61, 0x00), "Hexadecimal", "61 00"],
    [bytes(), "Text", ""],
  ])("%s", (payload, as, text) => expect(shown(payload)).toEqual({ as, text }));
});
