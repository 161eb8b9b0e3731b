import { describe, expect, test } from "vitest";
import { addStatement, removeStatement } from "./build";
import { checkPolicy, type Kind } from "./check";
import { parseJSON, place } from "./json";
import { levelOf, summarize } from "./summary";

describe("parseJSON", () => {
  test.each([
    ["{}", true],
    ['{"a": [1, -2.5e3, true, false, null, "x\\n\\u00e9"]}', true],
    ["", "1:1 Expected a value, found the end"],
    ['{"a": 1,}', '1:9 Expected a key in quotes after ",", found "}"'],
    ['{\n  "a": 1\n  "b": 2\n}', '3:3 Expected "," or "}", found "b"'],
    ["[1 2]", '1:4 Expected "," or "]", found 2'],
    ['{"a": 01}', "1:7 Expected a value, found 01"],
    ['{"a": nul}', "1:7 Expected a value, found nul"],
    ['{"a": "x\ny"}', "1:7 The text that begins here has no closing quote in its line"],
    ['{"a": "\\x"}', "1:7 A text with an escape that JSON does not have"],
    ['{"a": 1, "a": 2}', '1:10 "a" is there twice'],
    ["{} {}", "1:4 Expected the end of the document, found \"{\""],
    ["// c", '1:1 Expected a value, found "/"'],
    ["[".repeat(100), "1:66 Nested too deeply"],
    ['{"é😀": x}', "1:8 Expected a value, found x"],
  ])("%j", (text, want) => {
    const got = parseJSON(text);
    expect("fault" in got ? `${got.fault.line}:${got.fault.column} ${got.fault.message}` : true).toBe(want);
  });

  test("agrees with JSON.parse on what is JSON", () => {
    for (const text of ["0", "-0", "1e5", '"\\ud83d"', " [ ] ", '{"":{}}', "-", "+1", ".5", "1.", '"\t"', "[,]", "tru", "NaN", '"a', "\u00a0{}"]) {
      let good = true;
      try {
        JSON.parse(text);
      } catch {
        good = false;
      }
      expect("node" in parseJSON(text), text).toBe(good);
    }
  });

  test("places count characters, not code units", () => expect(place('"😀"x', 4)).toEqual({ line: 1, column: 4 }));
});

const about = (text: string, kind: Kind = "identity") => checkPolicy(text, kind).map((f) => `${f.line}:${f.column} ${f.message}`);

describe("checkPolicy", () => {
  test("a good one of each kind", () => {
    expect(about('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iot:*","tag:getResources"],"Resource":"*"}}')).toEqual([]);
    expect(about('{"Statement":[{"Effect":"Deny","NotAction":"*","NotResource":["arn:aws:iot:*:*:thing/x"],"Condition":{}}]}', "iot")).toEqual([]);
    expect(about('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"credentials.iot.amazonaws.com"},"Action":"sts:AssumeRole"}]}', "trust")).toEqual([]);
  });
  test.each([
    ["[]", "identity", ["1:1 A policy is an object: { … }"]],
    ['{"Version":"2020-10-17","Statement":[]}', "identity", ['1:12 Version must be "2012-10-17" or "2008-10-17": it is that of the language, not a date of yours', "1:37 There is no statement"]],
    ['{"Statment":[]}', "identity", ['1:2 Unknown element "Statment"', '1:1 Missing element "Statement"']],
    ['{"statement":[]}', "identity", ['1:2 Unknown element "statement": did you mean "Statement"?', '1:1 Missing element "Statement"']],
    ['{"Statement":{"Effect":"allow","Actoin":"iot:*","Resource":"*"}}', "identity", ['1:14 The statement lacks "Action"', '1:24 Effect must be "Allow" or "Deny"', '1:32 Unknown element "Actoin": did you mean "Action"?']],
    ['{"Statement":{"Effect":"Allow","Action":[],"Resource":"thing"}}', "identity", ["1:41 Action is empty", '1:55 "thing" is neither "*" nor an ARN']],
    ['{"Statement":{"Effect":"Allow","Action":["Connect",1],"NotAction":"x:y","Resource":"*"}}', "iot", ['1:42 "Connect" is no action: they are written service:Action', "1:52 Action is a text or a list of texts", '1:55 A statement has either "Action" or "NotAction"']],
    ['{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}', "trust", ['1:14 The statement lacks "Principal"', "1:58 A trust policy has no Resource: it is about its role"]],
    ['{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Principal":"*","Condition":[]}}', "identity", ["1:62 Principal is for trust policies: this one says what whoever has it may do", "1:90 Condition is an object: { operator: { key: value } }"]],
  ] as [string, Kind, string[]][])("%s as %s", (text, kind, want) => expect(about(text, kind)).toEqual(want));
});

describe("summarize", () => {
  test("services, access levels, denials first", () => {
    const document = JSON.stringify({
      Statement: [
        { Effect: "Allow", Action: ["s3:*", "iam:ListUsers", "IAM:GetUser", "iam:AttachUserPolicy", "iam:TagUser"], Resource: "*" },
        { Effect: "Deny", NotAction: "iot:*", NotResource: ["arn:aws:iot:*:*:thing/x", "arn:aws:iot:*:*:thing/y"], Condition: { Bool: { "aws:SecureTransport": "false" } } },
      ],
    });
    expect(summarize(document)).toEqual([
      { effect: "Deny", service: "All services", access: "All but iot:*", resource: "All but Multiple", condition: "aws:SecureTransport | Bool | false" },
      { effect: "Allow", service: "iam", access: "Limited: List, Permissions management, Read, Tagging", resource: "All resources", condition: "None" },
      { effect: "Allow", service: "s3", access: "Full access", resource: "All resources", condition: "None" },
    ]);
    expect(summarize("no JSON")).toEqual([]);
  });
  test("levels", () => {
    expect(["CreateThing", "DescribeThing", "ListThings", "UntagResource", "CreatePolicyVersion"].map(levelOf)).toEqual(["Write", "Read", "List", "Tagging", "Permissions management"]);
  });
});

test("statements are added and removed, the sample's goes", () => {
  const s = { Effect: "Allow" as const, Action: ["iot:Connect"], Resource: ["*"] };
  const one = addStatement('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[],"Resource":"*"}]}', s);
  expect(JSON.parse(one)).toEqual({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "iot:Connect", Resource: "*" }] });
  const two = addStatement(one, { ...s, Effect: "Deny", Action: ["iot:Publish", "iot:Receive"] });
  expect(JSON.parse(removeStatement(two, 0))).toEqual({ Version: "2012-10-17", Statement: [{ Effect: "Deny", Action: ["iot:Publish", "iot:Receive"], Resource: "*" }] });
  expect(checkPolicy(two, "identity")).toEqual([]);
});
