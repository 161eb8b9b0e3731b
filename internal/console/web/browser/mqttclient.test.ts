// The MQTT test client, beyond what the tutorial does with it (seed003).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { CreateLoginProfileCommand, CreateUserCommand, DeleteUserPolicyCommand, IAMClient, PutUserPolicyCommand } from "@aws-sdk/client-iam";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect, test } from "vitest";
import { click, fill, named, says, useServer, type Server, type Visit } from "./console";

const allow = (...statements: { Action: string | string[]; Resource: string | string[] }[]) =>
  JSON.stringify({ Version: "2012-10-17", Statement: statements.map((s) => ({ Effect: "Allow", ...s })) });

/** An IAM user who may sign in. */
async function user(iam: IAMClient, UserName: string, PolicyDocument: string): Promise<void> {
  await iam.send(new CreateUserCommand({ UserName }));
  await iam.send(new CreateLoginProfileCommand({ UserName, Password: "Gr33n-Tomatoes" }));
  await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: "p", PolicyDocument }));
}

async function signInAs(server: Server, page: Page, name: string): Promise<void> {
  await page.goto(`${server.url}/console?account=${server.root.accountId}`);
  await fill(page, "IAM user name", name);
  await fill(page, "Password", "Gr33n-Tomatoes");
  await click(page, "Sign in", "button");
  await page.getByRole("heading", { name: "Console Home" }).waitFor();
}

const log = (page: Page, filter: string) => page.getByRole("log", { name: `Messages on ${filter}` });

/** The number that a counter beside a heading shows. */
const counted = async (page: Page, filter: string, count: number) => await page.getByRole("heading", { name: `${filter} (${count})` }).waitFor();

describe("MQTT test client", () => {
  const server = useServer();
  let iam: IAMClient;
  let visit: Visit;

  beforeAll(async () => {
    const root = JSON.parse(readFileSync(join(server.dir, "data", "root-credentials"), "utf8")) as { accessKeyId: string; secretAccessKey: string };
    iam = new IAMClient({ endpoint: server.url, region: "us-east-1", credentials: root });
    await user(iam, "MyIoTUser", allow({ Action: "iot:*", Resource: "*" }));
  });

  test("a topic from a link, and what is published on it", async () => {
    visit = await server.visit();
    const { page } = visit;
    await signInAs(server, page, "MyIoTUser");
    await page.goto(`${server.url}/#/iot/test?subscribe=mytesttopic`);
    await counted(page, "mytesttopic", 0);
    await click(page, "Publish", "tab");
    await fill(page, "Topic name", "mytesttopic");
    await fill(page, "Message payload", '{ "message": "Hello" }');
    for (const n of [1, 2, 3]) {
      await click(page.getByRole("tabpanel"), "Publish", "button");
      await counted(page, "mytesttopic", n);
    }
    await click(page, "Subscribe", "tab");
    expect(visit.complaints).toEqual([]);
  });

  test("several topics at once, with what is unread", async () => {
    const { page } = visit;
    for (const filter of ["plant/+/temperature", "#"]) {
      await fill(page, "Subscription topic", filter);
      await click(page, "Subscribe to topic", "button");
      await page.getByRole("heading", { name: `${filter} (0)` }).waitFor();
    }
    await click(page, "Publish", "tab");
    await fill(page, "Topic name", "plant/7/temperature");
    await fill(page, "Message payload", "21.50");
    await click(page.getByRole("tabpanel"), "Publish", "button");
    await counted(page, "#", 1);
    const list = page.getByRole("list", { name: "Subscriptions" });
    await named(list, "plant/+/temperature, 1 unread", "button").click();
    await counted(page, "plant/+/temperature", 1);
    await named(list, "plant/+/temperature", "button").waitFor(); // read
    expect(await log(page, "plant/+/temperature").getByLabel("Payload").textContent()).toBe("21.50");
    await named(list, "mytesttopic", "button").click();
    await counted(page, "mytesttopic", 3);

    // A favorite is the first, and one that is closed is gone.
    await click(list, "Make # a favorite");
    expect(await list.getByRole("listitem").first().textContent()).toContain("#");
    await click(list, "Unsubscribe from #");
    await named(list, "#", "button").waitFor({ state: "detached" });
    expect(visit.complaints).toEqual([]);
  });

  test("retained, MQTT 5 properties, bytes, Kura's payloads", async () => {
    const { page } = visit;
    const panel = page.getByRole("tabpanel");
    const subscribe = async (filter: string) => {
      await click(page, "Subscribe", "tab");
      await fill(page, "Subscription topic", filter);
      await click(page, "Subscribe to topic", "button");
    };
    await subscribe("boiler/#");
    await counted(page, "boiler/#", 0);
    await click(page, "Publish", "tab");
    await fill(page, "Topic name", "boiler/state");
    await fill(page, "Message payload", '{"on":true}');
    await panel.getByRole("button", { name: "Additional configuration" }).click();
    await panel.getByRole("checkbox", { name: /^Retain message/ }).setChecked(true, { force: true });
    await panel.getByRole("button", { name: "MQTT 5 properties" }).click();
    await fill(page, "Content type", "application/json");
    await fill(page, "Response topic", "boiler/answer");
    await fill(page, "Correlation data", "17");
    await click(panel, "Add new user property");
    await fill(page, "Key of user property 1", "site");
    await fill(page, "Value of user property 1", "Wien");
    await click(panel, "Publish", "button");
    await says(page, /^Acknowledged: 11 bytes on boiler\/state/);

    // Who comes later is sent it, with all that it had.
    await subscribe("boiler/state");
    const message = log(page, "boiler/state").getByRole("article").first();
    await message.getByText("Retained", { exact: true }).waitFor();
    expect(await message.getByLabel("Payload").textContent()).toBe('{\n  "on": true\n}');
    await message.getByRole("button", { name: "Properties" }).click();
    for (const text of ["application/json", "boiler/answer", "17", "User property site", "Wien"]) await message.getByText(text, { exact: true }).waitFor();

    await named(page.getByRole("list", { name: "Subscriptions" }), "boiler/#, 1 unread", "button").or(named(page.getByRole("list", { name: "Subscriptions" }), "boiler/#", "button")).first().click();
    await counted(page, "boiler/#", 1);

    // Bytes: of Kura's, packed; and others.
    const kura = gzipSync(Buffer.from([0x08, 0x01, 0xc2, 0xb8, 0x02, 0x11, 0x0a, 0x04, ...Buffer.from("temp"), 0x10, 0x00, 0x19, 0, 0, 0, 0, 0, 0x80, 0x35, 0x40]));
    await click(page, "Publish", "tab");
    const publish = async (hex: string) => {
      await fill(page, "Topic name", "boiler/raw");
      await panel.getByRole("checkbox", { name: /^Retain message/ }).setChecked(false, { force: true });
      await panel.getByRole("checkbox", { name: /hexadecimal/ }).setChecked(true, { force: true });
      await fill(page, "Message payload", hex);
      await click(panel, "Publish", "button");
    };
    await publish(kura.toString("hex"));
    await counted(page, "boiler/#", 2);
    const latest = log(page, "boiler/#").getByRole("article").first().getByLabel("Payload");
    await latest.getByText("temp").waitFor();
    expect(JSON.parse((await latest.textContent()) ?? "")).toEqual({ timestamp: "1970-01-01T00:00:00.001Z", metrics: { temp: 21.5 } });
    await publish("ff 00 4");
    await says(page, "Enter bytes in hexadecimal, two digits each.");
    await publish("ff 00 41");
    await counted(page, "boiler/#", 3);
    await log(page, "boiler/#").getByText("000000  ff 00 41").waitFor();

    // The other ways to show them.
    await click(page, "Edit", "button");
    await page.getByRole("dialog").getByRole("radio", { name: /raw payloads/ }).check({ force: true });
    await click(page.getByRole("dialog"), "Save changes");
    await log(page, "boiler/#").getByText("000000  1f 8b").waitFor();
    expect(visit.complaints).toEqual([]);
  });

  test("pause, export, clear; and all is there after a look elsewhere", async () => {
    const { page } = visit;
    const saving = page.waitForEvent("download");
    await click(page, "Export");
    const file = await saving;
    expect(file.suggestedFilename()).toBe("boiler_.json");
    const saved = JSON.parse(readFileSync(await file.path(), "utf8")) as { topic: string; payload: string; format: string; retain: boolean; properties: { userProperties: object }; kura?: { metrics: object } }[];
    expect(saved.map((m) => [m.topic, m.format])).toEqual([["boiler/state", "json"], ["boiler/raw", "base64"], ["boiler/raw", "base64"]]);
    expect(saved[0]).toMatchObject({ payload: '{"on":true}', retain: false, properties: { contentType: "application/json", correlationData: "MTc=", userProperties: { site: "Wien" } } });
    expect(saved[1]?.kura).toMatchObject({ metrics: { temp: 21.5 } });

    await click(page, "Pause", "button");
    await click(page.getByRole("tabpanel"), "Publish", "button");
    await says(page, "Paused. 1 message has come since.");
    expect(await log(page, "boiler/#").getByRole("listitem").count()).toBe(3);
    await click(page, "Resume", "button");
    await expect.poll(() => log(page, "boiler/#").getByRole("listitem").count()).toBe(4);

    await page.goto(server.url + "/#/");
    await page.getByRole("heading", { name: "Console Home" }).waitFor();
    await page.goto(server.url + "/#/iot/test");
    await counted(page, "boiler/#", 4);
    await click(page, "Clear", "button");
    await counted(page, "boiler/#", 0);
    expect(visit.complaints).toEqual([]);
  });

  test("what is refused is said with the reason", async () => {
    const account = server.root.accountId;
    const on = (kind: string, name: string) => `arn:aws:iot:us-east-1:${account}:${kind}/${name}`;
    await user(
      iam,
      "visitor",
      allow(
        { Action: "iot:Connect", Resource: "*" },
        { Action: "iot:Subscribe", Resource: [on("topicfilter", "lobby/*"), on("topicfilter", "attic")] },
        { Action: "iot:Publish", Resource: [on("topic", "lobby/*"), on("topic", "attic")] },
        { Action: "iot:Receive", Resource: on("topic", "lobby/*") },
      ),
    );
    const { page, complaints } = await server.visit();
    await signInAs(server, page, "visitor");
    await page.goto(server.url + "/#/iot/test?subscribe=lobby/%23");
    await counted(page, "lobby/#", 0);

    await fill(page, "Subscription topic", "cellar/#");
    await click(page, "Subscribe to topic", "button");
    await says(page, "You are not subscribed to cellar/#");
    await says(page, new RegExp(`User: arn:aws:iam::${account}:user/visitor is not authorized to perform: iot:Subscribe on resource: ${on("topicfilter", "cellar/#")} because no identity-based policy allows the iot:Subscribe action`));
    await says(page, /^Not authorized \(0x87\)/);

    await click(page, "Publish", "tab");
    const panel = page.getByRole("tabpanel");
    await fill(page, "Topic name", "cellar/door");
    await click(panel, "Publish", "button");
    await says(page, "Not published on cellar/door");
    await says(page, new RegExp(`is not authorized to perform: iot:Publish on resource: ${on("topic", "cellar/door")}`));

    // A topic that nobody may publish to ends the connection, which comes back.
    await fill(page, "Topic name", "$aws/events/x");
    await click(panel, "Publish", "button");
    await says(page, "Not published on $aws/events/x");
    await page.getByRole("tabpanel").getByText("the topic is reserved, and nothing to publish to").waitFor();
    await named(page, "Disconnect", "button").waitFor();
    await fill(page, "Topic name", "lobby/lamp");
    await click(panel, "Publish", "button");
    await named(page.getByRole("list", { name: "Subscriptions" }), "lobby/#, 1 unread", "button").click();
    await counted(page, "lobby/#", 1);

    // To subscribe and not to be allowed to receive is what puzzles people most.
    await click(page, "Subscribe", "tab");
    await fill(page, "Subscription topic", "attic");
    await click(page, "Subscribe to topic", "button");
    await counted(page, "attic", 0);
    await click(page, "Publish", "tab");
    await fill(page, "Topic name", "attic");
    await click(panel, "Publish", "button");
    await says(page, "The server took what you published on attic, and it did not come back: iot:Receive on it may not be allowed.");

    // Who may not connect is told so, and can try again.
    await iam.send(new DeleteUserPolicyCommand({ UserName: "visitor", PolicyName: "p" }));
    await click(page, "Disconnect", "button");
    await named(page, "Connect", "button").last().click(); // the first is of the menu
    await says(page, "The connection was refused");
    await says(page, /is not authorized to perform: iot:Connect on resource: .*:client\/iotconsole-/);
    expect(complaints).toEqual([]);
  });
});
