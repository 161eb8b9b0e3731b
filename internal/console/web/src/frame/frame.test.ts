import { describe, expect, test } from "vitest";
import { services } from "../services";
import { match, parse, to } from "./route";
import { find } from "./search";

describe("addresses", () => {
  test("parts and queries survive, whatever is in them", () => {
    const arn = "arn:aws:iam::123456789012:policy/team/My+Policy=1,@x";
    const link = to(["iam", "policies", "details", arn], { tab: "versions", none: undefined });
    const { path, query } = parse(link);
    expect(match("/iam/policies/details/:arn", path)).toEqual({ arn });
    expect([...query]).toEqual([["tab", "versions"]]);
  });
  test.each([
    ["/users", "/users", {}],
    ["/users", "/users/", {}],
    ["/users/:name", "/users", undefined],
    ["/users/:name", "/users/a/b", undefined],
    ["/users/:name", "/users/%", undefined],
    ["/", "/", {}],
  ])("%s of %s", (pattern, path, want) => expect(match(pattern, path)).toEqual(want));
  test("nothing is the home page", () => expect(parse("").path).toBe("/"));
});

test("the search finds services before their screens, by any of their words", () => {
  const first = (text: string) => find(services, text)[0]?.link;
  expect(first("iam")).toBe("#/iam");
  expect(first("identity access")).toBe("#/iam");
  expect(first("policies")).toBe("#/iam/policies");
  expect(first("Access keys")).toBe("#/iam/users");
  expect(first("add user")).toBe("#/iam/users/create");
  expect(find(services, "no such thing")).toEqual([]);
});

test("the search finds the fleet", () => {
  const first = (text: string) => find(services, text)[0]?.link;
  expect(["fleet", "device simulator", "load test", "iotify", "virtual devices"].map(first)).toEqual(Array(5).fill("#/fleet"));
  expect(["glob", "run settings", "results", "device models", "templates"].map(first)).toEqual(["#/fleet/glob", "#/fleet/run-settings", "#/fleet/runs", "#/fleet/tests", "#/fleet/tests"]);
  expect(["create from sample", "aws-iot-connector", "create test"].map(first)).toEqual(["#/fleet/tests/create-from-sample", "#/fleet/tests/create-from-sample", "#/fleet/tests/create"]);
});
