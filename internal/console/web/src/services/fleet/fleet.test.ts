import { describe, expect, test } from "vitest";
import { isSecret, keyFault, shownOf, valueOf } from "./glob/values";
import { cleaned, documentOf, moved, nameFault, readModel, stageFault, stageNames, start, whole, withoutStage, withSequence, withStage, type Model } from "./model";
import { bytes, figure, lines, measured, share, summaryOf, took, type Metric, type Point } from "./report";
import { keep, matching, most, written } from "./runs/log";
import { durationFault, faultsOf, formOf, inWords, settingsOf, thresholdFault } from "./settings/form";
import { given, initial, lacking } from "./tests/values";

const connector: Model = {
  name: "aws-iot-connector",
  stages: { init: "a", createThing: "b", createPolicy: "c", spare: "d" },
  sequence: ["createPolicy", "createThing"],
  minIterations: 5,
};

describe("stages", () => {
  test("stand in the order in which they run", () => {
    expect(stageNames(connector)).toEqual(["init", "createPolicy", "createThing", "spare", "finished", "message"]);
    expect(stageNames({ name: "x", stages: {} })).toEqual(["init", "running", "finished", "message"]);
    expect(stageNames({ name: "x", stages: { running: "a", s: "b" }, sequence: ["s", "s"] })).toEqual(["init", "s", "running", "finished", "message"]);
  });
  test("a standard one that is emptied is gone, another stays", () => {
    expect(withStage(connector, "init", " \n").stages).toEqual({ createThing: "b", createPolicy: "c", spare: "d" });
    expect(withStage(connector, "spare", "").stages.spare).toBe("");
    expect(withStage(connector, "finished", "x").stages.finished).toBe("x");
  });
  test("one that is removed leaves the sequence too", () => {
    const m = withoutStage(connector, "createThing");
    expect(m.stages).not.toHaveProperty("createThing");
    expect(m.sequence).toEqual(["createPolicy"]);
    expect(withoutStage(m, "createPolicy")).not.toHaveProperty("sequence");
    expect(connector.sequence).toEqual(["createPolicy", "createThing"]); // unchanged
  });
  test("move", () => {
    expect(moved(["a", "b", "c"], 2, -1)).toEqual(["a", "c", "b"]);
    expect(moved(["a", "b"], 0, -1)).toEqual(["a", "b"]);
    expect(withSequence(connector, [])).not.toHaveProperty("sequence");
  });
  test.each([
    ["createRule", undefined],
    ["createThing", "There is a stage createThing already."],
    ["running", undefined], // a sequence is in its place, so it is not there
    ["1st", "Up to 64 letters, digits, _ and $, a digit not first."],
    ["", "Enter a name."],
  ])("%j", (name, want) => expect(stageFault(connector, name)).toBe(want));
});

describe("documents", () => {
  test("say nothing of what was left empty", () => {
    const m: Model = {
      ...connector,
      description: "",
      script: "",
      minIterations: 0,
      settings: [{ name: "a", label: "", secret: false, required: true }],
      protocol: { type: "mqtt", endpoint: "", qos: 0, retain: false, cleanSession: true, topic: "t", subscribe: [{ filter: "" }, { filter: "f", qos: 0 }], will: { topic: "", payload: "x" } },
    };
    expect(cleaned(m)).toEqual({ ...connector, minIterations: undefined, settings: [{ name: "a", required: true }], protocol: { type: "mqtt", topic: "t", subscribe: [{ filter: "f" }] } });
    expect(cleaned({ ...connector, protocol: { type: "mqtt", cleanSession: false } }).protocol).toEqual({ type: "mqtt", cleanSession: false });
  });
  test("come back as they were written", () => {
    expect(readModel(documentOf(connector))).toEqual(connector);
    expect(readModel(documentOf(start("hello")))).toEqual(start("hello"));
  });
  test.each([
    ["[]", "A device model is a JSON object."],
    ['{"stages": {}}', 'The device model has no "name".'],
    ['{"name": "x"}', '"stages" is an object of texts: {"init": "…", "running": "…"}.'],
    ['{"name": "x", "stages": {"init": 1}}', '"stages" is an object of texts: {"init": "…", "running": "…"}.'],
    ['{"name": "x", "stages": {}, "sequence": "a"}', '"sequence" is a list of names of stages.'],
    ['{"name": "x", "stages": {}, "settings": [null]}', '"settings" is a list of objects with a "name".'],
    ['{"name": "x", "stages": {}, "protocol": []}', '"protocol" is an object.'],
  ])("%s", (text, fault) => expect(readModel(text)).toEqual({ fault }));
  test("that are no JSON say so", () => expect(readModel("{")).toHaveProperty("fault"));
  test("names", () => {
    expect(["aws-iot:1_", "", "a b", "x".repeat(129)].map((n) => nameFault(n) === undefined)).toEqual([true, false, false, false]);
  });
});

describe("run settings", () => {
  test("come back as they were, zeroes aside", () => {
    const r = { clients: 5, iterations: 5, interval: "1m0s", rampUp: "1h0m0s", jitter: "0s", network: { latency: "20ms", loss: 0.015 }, thresholds: ["errors rate < 0.01"], seed: 7, time: "virtual" as const, keepState: true };
    expect(settingsOf(formOf(r))).toEqual({ clients: 5, iterations: 5, interval: "1m", rampUp: "1h", network: { latency: "20ms", loss: 0.015 }, thresholds: ["errors rate < 0.01"], seed: 7, time: "virtual", keepState: true });
    expect(settingsOf(formOf({}))).toEqual({ clients: 1 });
  });
  test("of a run that is run again leave nothing to others", () => {
    const all = whole({ clients: 2, interval: "1s", network: { loss: 0.1 } });
    expect(all).toMatchObject({ clients: 2, interval: "1s", iterations: 0, duration: "0s", thresholds: [], time: "real", network: { loss: 0.1, latency: "0s" } });
    expect(settingsOf(formOf(all))).toEqual({ clients: 2, interval: "1s", network: { loss: 0.1 } });
  });
  test("a number alone is of seconds", () => {
    expect(settingsOf({ ...formOf({}), interval: "1.5", gap: " 200ms " })).toMatchObject({ interval: "1.5s", gap: "200ms" });
  });
  test.each([
    ["10s", true],
    ["1.5m", true],
    ["1h30m", true],
    ["7", true],
    ["", true],
    ["10 s", false],
    ["1d", false],
    ["-1s", false],
  ])("the time %j", (text, good) => expect(durationFault(text) === undefined).toBe(good));
  test.each([
    ["publish_ms p(99) < 50", true],
    ["errors: rate < 0.01", true],
    ["iterations count >= 5", true],
    ["publish_ms p(99)", false],
    ["errors rate", false],
    ["errors rate < many", false],
  ])("the threshold %j", (text, good) => expect(thresholdFault(text) === undefined).toBe(good));
  test("faults stand at their fields", () => {
    expect(faultsOf(formOf({ clients: 5 }))).toEqual({});
    const wrong = faultsOf({ ...formOf({}), clients: "0", rampUp: "1s", gap: "1s", loss: "101", thresholds: ["x"] });
    expect(Object.keys(wrong).sort()).toEqual(["clients", "gap", "loss", "thresholds"]);
  });
  test.each([
    [{}, "1 client, 1 iteration"],
    [{ clients: 5, iterations: 5, interval: "1s" }, "5 clients, 5 iterations, one every 1s"],
    [{ clients: 1000, duration: "1h0m0s", rampUp: "1m0s" }, "1,000 clients, started over 1m, for 1h"],
    [{ clients: 2, iterations: 3, duration: "10s", time: "virtual" as const }, "2 clients, 3 iterations, at most 10s, in virtual time"],
  ])("%j in words", (r, want) => expect(inWords(r)).toBe(want));
});

describe("values of settings", () => {
  const asked = [
    { name: "accessKeyId", label: "Access key", required: true },
    { name: "region", default: "us-east-1", required: true },
    { name: "keys", default: "aws" },
  ];
  test("begin with defaults, and this region", () => expect(initial(asked, "eu-west-1")).toEqual({ accessKeyId: "", region: "eu-west-1", keys: "aws" }));
  test("that are lacking are asked for", () => expect(lacking(asked, { accessKeyId: " ", region: "x" })).toEqual({ accessKeyId: "Enter Access key." }));
  test("are sent without blanks and defaults", () => expect(given(asked, { accessKeyId: " AKIA ", region: "us-east-1", keys: "device" })).toEqual({ accessKeyId: "AKIA", keys: "device" }));
});

describe("what a run tells", () => {
  const point = (t: number, part: Partial<Point> = {}): Point => ({
    t, connected: 0, running: 0, iterations: 0, publishes: 0, received: 0, requests: 0, errors: 0, lost: 0, reconnects: 0, connectP99: 0, publishP50: 0, publishP99: 0, requestP50: 0, requestP99: 0, memoryBytes: 0, ...part,
  });
  test("lines of charts leave out what never was", () => {
    const points = [point(1, { publishes: 2 }), point(2), point(3, { publishes: 4, publishP99: 9 })];
    expect(lines(points, { publishes: "Published", received: "Received" })).toEqual([{ title: "Published", data: [{ x: 1, y: 2 }, { x: 2, y: 0 }, { x: 3, y: 4 }] }]);
    expect(lines(points, { publishP99: "99 %" }, true)).toEqual([{ title: "99 %", data: [{ x: 3, y: 9 }] }]);
  });
  test("numbers", () => {
    expect([0, 0.0123, 1.25, 1234.5].map(figure)).toEqual(["0", "0.012", "1.3", "1,235"]);
    expect([measured("publish_ms", 3.14), measured("battery", 3.14), measured("x", undefined), share(0.0125)]).toEqual(["3.1 ms", "3.1", "-", "1.25 %"]);
    expect([850, 12_340, 245_000, 3_725_000].map(took)).toEqual(["850 ms", "12.3 s", "4 min 05 s", "1 h 02 min"]);
    expect([512, 2048, 5 << 20].map(bytes)).toEqual(["512 B", "2 KiB", "5 MiB"]);
  });
  test.each([
    ["counter", { count: 1234, rate: 12.5 }, "1,234 (12.5 a second)"],
    ["gauge", { value: 3.7 }, "3.7"],
    ["rate", { count: 200, value: 0.5 }, "50 % of 200"],
    ["trend", { count: 10, p50: 3 }, "3 (median of 10)"],
  ] as const)("a %s", (kind, part, want) => expect(summaryOf({ name: "x", kind, count: 0, rate: 0, recent: 0, ...part } as Metric)).toBe(want));
});

describe("logs", () => {
  const line = (sequence: number, level = "info", client?: number) => ({ sequence, time: sequence, level, text: `line ${sequence}`, client });
  test("keep each line once, and the latest", () => {
    const first = keep([], [line(1), line(2)]);
    expect(keep(first, [line(2), line(3)]).map((l) => l.sequence)).toEqual([1, 2, 3]);
    expect(keep(first, [line(2)])).toBe(first);
    const many = keep([], Array.from({ length: most + 5 }, (_, i) => line(i + 1)));
    expect([many.length, many[0]?.sequence]).toEqual([most, 6]);
  });
  test("are found by level and words", () => {
    const all = [line(1, "debug"), line(2, "warn", 7), line(3, "error", 8)];
    expect(matching(all, "warn", "").map((l) => l.sequence)).toEqual([2, 3]);
    expect(matching(all, "debug", "line 8").map((l) => l.sequence)).toEqual([3]);
  });
  test("as a file", () => expect(written([line(1), line(2, "warn", 7)])).toBe("1970-01-01T00:00:01.000Z run info line 1\n1970-01-01T00:00:02.000Z device 7 warn line 2\n"));
});

describe("the glob", () => {
  test.each([
    ['"abc"', { kind: "text", text: "abc" }],
    ['{"a":1}', { kind: "json", text: '{\n  "a": 1\n}' }],
    ["7", { kind: "json", text: "7" }],
  ] as const)("%s comes back as it was", (value, shown) => {
    expect(shownOf(value)).toEqual(shown);
    expect(valueOf(shownOf(value))).toBe(value);
  });
  test("private keys are not shown at once", () => {
    expect(["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "CERTIFICATE", "PUBLIC KEY"].map((k) => isSecret(`-----BEGIN ${k}-----\n`))).toEqual([true, true, true, false, false]);
  });
  test("keys have up to 512 bytes", () => {
    expect(["a", "é".repeat(256), "é".repeat(257), ""].map((k) => keyFault(k) === undefined)).toEqual([true, true, false, false]);
  });
});
