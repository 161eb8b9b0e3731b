import { describe, expect, test, vi } from "vitest";
import { generatePassword } from "../services/iam/users/password";
import { trusted, trustAccount, trustService } from "../services/iam/roles/trust";
import { csv } from "./download";
import { placeIn, tell } from "./errors";
import { ago } from "./format";
import { tagFault } from "./tag";
import { SignInError } from "../session/signin";

test("csv quotes what needs it and changes nothing", () => {
  expect(csv([["a", "b,c"], ['=1+"2"', "+/x"]])).toBe('a,"b,c"\r\n"=1+""2""",+/x\r\n');
});

test("errors are told with AWS's words", () => {
  const denied = Object.assign(new Error("User: x is not authorized"), { name: "AccessDenied", $metadata: { requestId: "r-1" } });
  expect(tell(denied)).toEqual({ code: "AccessDenied", message: "User: x is not authorized", requestId: "r-1", denied: true });
  expect(tell(new TypeError("Failed to fetch")).message).toBe("The server cannot be reached.");
  expect(tell(new SignInError(401, "NotSignedIn", "You are not signed in.")).code).toBe("NotSignedIn");
  expect(placeIn('Syntax errors in policy. Unknown element "Actoin" (line 4, column 7)')).toEqual({ line: 4, column: 7 });
  expect(placeIn("Syntax errors in policy.")).toBeUndefined();
});

test("how long ago", () => {
  const now = Date.parse("2026-01-02T00:00:00Z");
  expect([undefined, "2026-01-01T23:59:30Z", "2026-01-01T23:59:00Z", "2026-01-01T20:00:00Z", "2025-12-31T00:00:00Z"].map((t) => ago(t === undefined ? t : new Date(t), now))).toEqual(["-", "Now", "1 minute ago", "4 hours ago", "2 days ago"]);
});

test("tags", () => {
  expect(tagFault([{ Key: "a", Value: "" }])).toBeUndefined();
  expect(tagFault([{ Key: "", Value: "x" }])).toBe("A tag has no key.");
  expect(tagFault([{ Key: "a", Value: "1" }, { Key: "a", Value: "2" }])).toBe('The tag "a" is there twice.');
});

test("passwords have all kinds of characters, and are not alike", () => {
  const made = Array.from({ length: 50 }, () => generatePassword());
  for (const p of made) {
    expect(p).toHaveLength(20);
    for (const kind of [/[A-Z]/, /[a-z]/, /[0-9]/, /[^A-Za-z0-9]/]) expect(p).toMatch(kind);
  }
  expect(new Set(made).size).toBe(50);
});

test("who is trusted, in words", () => {
  expect(trusted(trustService("credentials.iot.amazonaws.com"))).toEqual(["Service: credentials.iot"]);
  expect(trusted(trustAccount("123456789012", "x", true))).toEqual(["Account: 123456789012"]);
  expect(trusted('{"Statement":{"Effect":"Allow","Principal":"*"}}')).toEqual(["Everybody"]);
  expect(trusted('{"Statement":[{"Effect":"Deny","Principal":"*"},{"Effect":"Allow","Principal":{"Federated":["a","b"],"AWS":"arn:aws:iam::123456789012:user/eve"}}]}')).toEqual([
    "Identity provider: a",
    "Identity provider: b",
    "arn:aws:iam::123456789012:user/eve",
  ]);
  expect(trusted("no JSON")).toEqual([]);
});

describe("credentials", () => {
  test("are asked for once, kept in memory, renewed before their end, and forgotten", async () => {
    vi.resetModules();
    vi.useFakeTimers({ now: Date.parse("2026-01-01T00:00:00Z") });
    let asked = 0;
    const answer = vi.fn(async (path: string, init: RequestInit) => {
      expect(path).toBe("/signin/credentials");
      expect(init.method).toBe("POST");
      expect(new Headers(init.headers).get("X-Thingd-Csrf")).toBe("1");
      return Response.json({ accessKeyId: `ASIA${++asked}`, secretAccessKey: "s", sessionToken: "t", expiration: new Date(Date.now() + 3600_000).toISOString() });
    });
    vi.stubGlobal("fetch", answer);
    const { credentials, forget } = await import("../session/credentials");
    const [a, b] = await Promise.all([credentials(), credentials()]);
    expect([a.accessKeyId, b.accessKeyId, asked]).toEqual(["ASIA1", "ASIA1", 1]);
    vi.setSystemTime(Date.parse("2026-01-01T00:54:00Z"));
    expect((await credentials()).accessKeyId).toBe("ASIA1");
    vi.setSystemTime(Date.parse("2026-01-01T00:55:30Z"));
    expect((await credentials()).accessKeyId).toBe("ASIA2");
    forget();
    expect((await credentials()).accessKeyId).toBe("ASIA3");

    forget();
    answer.mockImplementationOnce(async () => Response.json({ code: "NotSignedIn", message: "You are not signed in, or your session has ended." }, { status: 401 }));
    await expect(credentials()).rejects.toMatchObject({ code: "NotSignedIn", status: 401 });
    expect((await credentials()).accessKeyId).toBe("ASIA4"); // a refusal is not kept
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
});
