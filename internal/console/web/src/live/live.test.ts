import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { eventsOf, happened, messagesOf } from "./activity";
import { changes } from "./changes";
import type { Message } from "./connection";
import { kura } from "./kura";
import { indented, show } from "./payload";
import { signed } from "./sign";
import { filterFault, matches, topicFault } from "./topic";

describe("topics", () => {
  test.each([
    ["#", "a/b", true],
    ["#", "$aws/events/x", false],
    ["+/b", "$aws/b", false],
    ["$aws/events/#", "$aws/events/presence/connected/x", true],
    ["a/#", "a", true],
    ["a/#", "a/b/c", true],
    ["a/+", "a/b", true],
    ["a/+", "a/b/c", false],
    ["a/+", "a/", true],
    ["a/+/c", "a/b/c", true],
    ["a", "A", false],
    ["$share/g/a/+", "a/b", true],
    ["+", "a", true],
    ["+/+", "/a", true],
  ])("%s of %s: %s", (filter, topic, is) => expect(matches(filter, topic)).toBe(is));
  test("faults", () => {
    expect(topicFault("a/b")).toBeUndefined();
    expect(topicFault("a/#")).toMatch(/no wildcards/);
    expect(["a/#", "#", "+/a", "$share/g/a"].map(filterFault)).toEqual([undefined, undefined, undefined, undefined]);
    expect(filterFault("a#")).toMatch(/alone/);
    expect(filterFault("#/a")).toMatch(/end/);
    expect(filterFault("a+/b")).toMatch(/alone/);
    expect(filterFault("$share/g")).toMatch(/GROUP/);
  });
});

test("an address is signed as AWS's own client for MQTT over WebSocket signs", async () => {
  const keys = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", sessionToken: "to/ken+=" };
  const url = new URL(await signed("https://127.0.0.1:4566", "us-east-1", keys, new Date("2026-11-22T09:00:00Z")));
  expect(url.protocol + url.host + url.pathname).toBe("wss:127.0.0.1:4566/mqtt");
  expect(url.searchParams.get("X-Amz-Credential")).toBe("AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/iotdevicegateway/aws4_request");
  expect(url.searchParams.get("X-Amz-SignedHeaders")).toBe("host");
  expect([...url.searchParams.keys()].at(-1)).toBe("X-Amz-Security-Token");
  expect(url.searchParams.get("X-Amz-Security-Token")).toBe("to/ken+=");
  // The token is not part of what is signed.
  const { sessionToken: _, ...bare } = keys;
  const without = new URL(await signed("https://127.0.0.1:4566", "us-east-1", bare, new Date("2026-11-22T09:00:00Z")));
  expect(without.searchParams.get("X-Amz-Signature")).toBe(url.searchParams.get("X-Amz-Signature"));
  expect((await signed("http://localhost:1", "eu-west-1", bare)).startsWith("ws://localhost:1/mqtt?")).toBe(true);
});

/** A protobuf message, by hand. */
const proto = {
  number(n: bigint): number[] {
    const out: number[] = [];
    let rest = BigInt.asUintN(64, n);
    do {
      out.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
      rest >>= 7n;
    } while (rest > 0n);
    return out;
  },
  varint: (field: number, n: bigint | number) => [...proto.number(BigInt(field) << 3n), ...proto.number(BigInt(n))],
  bytes: (field: number, b: number[] | string) => {
    const body = typeof b === "string" ? [...new TextEncoder().encode(b)] : b;
    return [...proto.number((BigInt(field) << 3n) | 2n), ...proto.number(BigInt(body.length)), ...body];
  },
  double: (field: number, n: number) => [...proto.number((BigInt(field) << 3n) | 1n), ...new Uint8Array(new Float64Array([n]).buffer)],
  float: (field: number, n: number) => [...proto.number((BigInt(field) << 3n) | 5n), ...new Uint8Array(new Float32Array([n]).buffer)],
};

const metric = (name: string, type: number, value: number[]) => proto.bytes(5000, [...proto.bytes(1, name), ...proto.varint(2, type), ...value]);

const gateway = new Uint8Array([
  ...proto.varint(1, 1790000000000n),
  ...proto.bytes(2, [...proto.double(1, 45.1), ...proto.double(2, 7.6), ...proto.varint(8, 9)]),
  ...metric("temp", 0, proto.double(3, 21.5)),
  ...metric("rate", 1, proto.float(4, 0.1)),
  ...metric("big", 2, proto.varint(5, -9223372036854775808n)),
  ...metric("count", 3, proto.varint(6, -3n)),
  ...metric("on", 4, proto.varint(7, 1)),
  ...metric("name", 5, proto.bytes(8, "Kessel 7 °C")),
  ...metric("raw", 6, proto.bytes(9, [0, 255])),
  ...metric("__proto__", 5, proto.bytes(8, "x")),
  ...proto.bytes(5001, [1, 2, 3]),
]);

describe("payloads", () => {
  const whole = {
    timestamp: "2026-09-21T14:13:20.000Z",
    position: { latitude: 45.1, longitude: 7.6, satellites: 9 },
    metrics: { temp: 21.5, rate: 0.1, big: "-9223372036854775808", count: -3, on: true, name: "Kessel 7 °C", raw: "AP8=", ["__proto__"]: "x" },
    body: "AQID",
  };
  test("Kura's, plain and in gzip", async () => {
    expect(JSON.parse(JSON.stringify(await kura(gateway)))).toEqual(whole);
    expect(JSON.parse(JSON.stringify(await kura(gzipSync(gateway))))).toEqual(whole);
    expect((await show(gzipSync(gateway), "auto")).as).toBe("Kura");
    expect((await show(gateway, "kura")).as).toBe("Kura");
  });
  test("what is none of Kura's is none, however it is cut", async () => {
    for (const text of ["hello", "", '{"a":1}', "\u0001"]) expect(await kura(new TextEncoder().encode(text))).toBeUndefined();
    expect(await kura(new Uint8Array([0x1f, 0x8b, 1, 2]))).toBeUndefined();
    for (let i = 0; i < gateway.length; i++) await kura(gateway.subarray(0, i)); // throws nothing
    // One that unpacks to very much.
    expect(await kura(gzipSync(Buffer.alloc(20 << 20)))).toBeUndefined();
  });
  test("JSON, text and bytes", async () => {
    const bytes = (t: string) => new TextEncoder().encode(t);
    expect(await show(bytes('{"a":[1.10,{}],"b":{"c":"x,{y}"},"d":[]}'), "auto")).toEqual({
      as: "JSON",
      text: '{\n  "a": [\n    1.10,\n    {}\n  ],\n  "b": {\n    "c": "x,{y}"\n  },\n  "d": []\n}',
    });
    expect(await show(bytes("hello {"), "auto")).toEqual({ as: "text", text: "hello {" });
    expect(await show(bytes('{"a":1}'), "text")).toEqual({ as: "text", text: '{"a":1}' });
    expect(await show(new Uint8Array([0xff, 0x41]), "auto")).toEqual({ as: "hex", text: "000000  ff 41                                            .A" });
    expect((await show(new Uint8Array([0xff, 0x41]), "text")).text).toBe("\ufffdA");
    expect((await show(bytes("no Kura"), "kura")).text).toBe("no Kura");
    expect(indented("12345678901234567890")).toBe("12345678901234567890");
    expect(indented("{")).toBeUndefined();
    expect(indented('  [ ]  ')).toBe("[]");
  });
});

test("what has changed in a shadow", () => {
  expect(changes({ reported: { t: 20, on: true, a: [1] } }, { reported: { t: 21, on: true, a: [1, 2] }, desired: { x: { y: null } } })).toEqual([
    { path: "reported.t", from: "20", to: "21" },
    { path: "reported.a", from: "[1]", to: "[1,2]" },
    { path: "desired.x.y", from: undefined, to: "null" },
  ]);
  expect(changes(undefined, undefined)).toEqual([]);
  expect(changes({ a: { b: 1 } }, { a: 2 })).toEqual([{ path: "a", from: '{"b":1}', to: "2" }]);
});

describe("what happens to a thing", () => {
  const message = (topic: string, payload: object | string): Message => ({
    topic,
    payload: new TextEncoder().encode(typeof payload === "string" ? payload : JSON.stringify(payload)),
    qos: 0,
    retain: false,
    properties: {},
    at: new Date(0),
  });
  const of = (topic: string, payload: object | string, clients = ["lamp"]) => happened("lamp", clients, message(topic, payload));

  test.each([
    ["$aws/events/presence/connected/lamp", { eventType: "connected", ipAddress: "10.0.0.7" }, "Connection", "Client lamp connected from 10.0.0.7"],
    ["$aws/events/presence/disconnected/lamp", { eventType: "disconnected", disconnectReason: "CONNECTION_LOST" }, "Connection", "Client lamp disconnected: CONNECTION_LOST"],
    ["$aws/events/presence/connect_failed/lamp", { eventType: "connect_failed", connectFailureReason: "AUTHORIZATION_FAILED" }, "Connection", "Client lamp could not connect: AUTHORIZATION_FAILED"],
    ["$aws/events/subscriptions/subscribed/lamp", { eventType: "subscribed", topics: ["a/#", "b"] }, "Subscription", "Client lamp subscribed to a/#, b"],
    ["$aws/things/lamp/shadow/name/night/update/rejected", { code: 409, message: "Version conflict" }, "Shadow", "Shadow night refused: 409 Version conflict"],
    ["$aws/things/lamp/shadow/delete/accepted", { version: 3 }, "Shadow", "Classic Shadow deleted"],
    ["$aws/things/lamp/shadow/update/delta", { state: { on: true } }, "Shadow", "Classic Shadow differs from what is desired"],
    ["house/lamp/state", "on", "Message", "house/lamp/state"],
  ])("%s", (topic, payload, kind, what) => expect(of(topic, payload)).toMatchObject({ kind, what }));

  test("an update of a shadow, value by value", () => {
    const documents = { previous: { state: { reported: { on: false } }, version: 4 }, current: { state: { reported: { on: true } }, version: 5 } };
    expect(of("$aws/things/lamp/shadow/update/documents", documents)).toMatchObject({
      what: "Classic Shadow updated to version 5",
      changes: [{ path: "reported.on", from: "false", to: "true" }],
    });
  });
  test("what is not told", () => {
    expect(of("$aws/things/lamp/shadow/get", "")).toBeUndefined();
    expect(of("$aws/things/lamp/shadow/update/accepted", {})).toBeUndefined();
    expect(of("$aws/things/other/shadow/update/delta", {})).toBeUndefined();
    expect(of("$aws/events/presence/connected/lamp", "broken")).toBeUndefined();
    expect(of("$aws/events/presence/connected/other", { eventType: "connected" })).toBeUndefined();
    expect(of("$aws/events/presence/connected/other", { eventType: "connected" }, ["lamp", "other"])?.what).toBe("Client other connected");
  });
  test("the topics of it", () => {
    const filters = [...eventsOf("lamp", ["lamp"]), ...messagesOf("lamp")];
    for (const topic of ["$aws/events/presence/disconnected/lamp", "$aws/things/lamp/shadow/name/x/update/documents", "lamp/t", "acme/lamp/W1/A1"]) {
      expect(filters.some((f) => matches(f, topic))).toBe(true);
    }
  });
});
