// "AWS IoT Connector" of IoTIFY: a user with a policy of its own, made in another
// tab, and an access key, by which the fleet registers devices; then the devices.
import { readFileSync } from "node:fs";
import { IAMClient, ListUsersCommand } from "@aws-sdk/client-iam";
import { IoTClient, ListAttachedPoliciesCommand, ListThingPrincipalsCommand } from "@aws-sdk/client-iot";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { click, fill, named, paste, says, signInAsRoot, tick, topRight, useServer } from "./console";

// The tutorial's text of the policy is not kept with it; this one ships beside the sample.
const policy = readFileSync(new URL("../../../fleet/samples/aws-iot-connector/policy.json", import.meta.url), "utf8");

const init = "state.count = 0;\nstate.__$key = glob.get(`aws_iotify_${client()}_key`);\nstate.__$cert = glob.get(`aws_iotify_${client()}_cert`);\nstate.name = `device ${client()}`;\n";

/** runTest runs the test whose page is shown, and waits for what comes of it. */
async function runTest(page: Page): Promise<void> {
  await click(page, "Run", "button");
  await click(page.getByRole("dialog"), "Run", "button");
  await succeeded(page);
}

async function succeeded(page: Page): Promise<void> {
  const status = page.getByRole("status").filter({ hasText: /^(Succeeded|Failed|Stopped)$/ });
  await status.waitFor({ timeout: 90_000 });
  expect(await status.innerText(), await page.locator("main").last().innerText()).toBe("Succeeded");
}

/** figureOf is what a page says beside a label. */
const figureOf = (page: Page, label: string) => page.locator("dt", { hasText: new RegExp(`^${label}$`) }).locator("xpath=following-sibling::dd[1]").innerText();

describe("IoTIFY connector", () => {
  const server = useServer();
  let key = { accessKeyId: "", secretAccessKey: "" };

  test("a user, its policy, its access key", async () => {
    const { page, context, complaints } = await server.visit();
    await signInAsRoot(server, page);

    // Go to the IAM service, to the Users page and click on Add Users.
    await click(page, "IAM", "link");
    await click(page.getByRole("navigation"), "Users", "link");
    await click(page, "Add Users");

    // Write IoTIFY for the user name and click next; Attach policies directly; Create policy.
    await fill(page, "User name", "IoTIFY");
    await click(page, "Next");
    await click(page, "Attach policies directly", "radio");
    const opens = context.waitForEvent("page");
    await page.getByRole("link", { name: /^Create policy/ }).click();
    const tab = await opens;

    // JSON tab, paste; Next; skip the Tags page; name the policy; Create Policy.
    await click(tab, "JSON", "tab");
    await paste(tab, "Policy document", policy);
    await click(tab, "Next");
    await tab.getByRole("heading", { name: "Tags" }).first().waitFor();
    await click(tab, "Next");
    await tab.getByRole("heading", { name: "Review policy" }).first().waitFor();
    await fill(tab, "Name", "IoTIFY_Policy");
    await click(tab, "Create Policy", "button");
    await says(tab, "Policy IoTIFY_Policy created");
    await tab.close();

    // Back: the reload button, search for IoTIFY, select the policy, Next, Create User.
    await page.getByRole("button", { name: "Refresh permissions policies" }).click();
    await page.getByLabel("Filter policies").fill("IoTIFY");
    await tick(page, "Select IoTIFY_Policy");
    await click(page, "Next");
    await page.getByRole("heading", { name: "Review and create" }).first().waitFor();
    await click(page, "Create User", "button");
    await says(page, "User created successfully");

    // In the list of users, click on the user; Security credentials; Create access key.
    await page.getByRole("table", { name: "Users" }).getByRole("link", { name: "IoTIFY" }).click();
    await click(page, "Security credentials", "tab");
    await click(page, "Create access key");

    // The Other option; Next; a description; Next.
    await click(page, "Next");
    await says(page, "Choose a use case.");
    await click(page, "Other", "radio");
    await click(page, "Next");
    await fill(page, "Description tag value", "IoTIFY connector");
    await click(page, "Next");

    // The keys are ready: download the CSV file, and click on Done.
    await page.getByRole("heading", { name: "Retrieve access keys" }).waitFor();
    const saving = page.waitForEvent("download");
    await click(page, "Download the CSV file");
    const file = await saving;
    expect(file.suggestedFilename()).toBe("IoTIFY_accessKeys.csv");
    const [header, line] = readFileSync(await file.path(), "utf8").split("\r\n");
    expect(header).toBe("Access key ID,Secret access key");
    const [accessKeyId = "", secretAccessKey = ""] = (line ?? "").split(",");
    key = { accessKeyId, secretAccessKey };
    expect(accessKeyId).toMatch(/^AKIA[A-Z2-7]{16}$/);
    expect(secretAccessKey).toHaveLength(40);
    await click(page, "Show", "button");
    await says(page, secretAccessKey);
    await click(page, "Done");

    // The key is in the list with its description, and its secret nowhere any more.
    await named(page, "Security credentials", "tab").waitFor();
    await says(page, "IoTIFY connector");
    expect(await page.content()).not.toContain(secretAccessKey);

    // The tool outside signs with it, and may do what the policy says.
    const outside = new IAMClient({ endpoint: server.url, region: "us-east-1", credentials: { accessKeyId, secretAccessKey } });
    await expect(outside.send(new ListUsersCommand({}))).rejects.toThrow(/user\/IoTIFY is not authorized to perform: iam:ListUsers/);
    expect(complaints).toEqual([]);
  });

  test("the connector registers five devices, which then connect", async () => {
    const { page, complaints } = await server.visit();
    const menu = page.getByRole("navigation").filter({ hasText: "Run Settings" });
    await signInAsRoot(server, page);
    await click(page, "Fleet", "link");

    // Create from Sample in the top right corner; the sample from the list; Create.
    expect(await topRight(page, named(page, "Create from Sample"))).toBe(true);
    await click(page, "Create from Sample");
    await page.getByText("aws-iot-connector", { exact: true }).click();
    await click(page, "Create", "button");

    // A sidebar: the Access Key, the Secret access key, the AWS region; Create.
    const sidebar = page.getByRole("region", { name: "aws-iot-connector" });
    await fill(sidebar, "Access key", key.accessKeyId);
    await fill(sidebar, "Secret access key", key.secretAccessKey);
    await fill(sidebar, "AWS region", "us-east-1");
    await click(sidebar, "Create", "button");
    await says(page, "Test aws-iot-connector created.");
    await click(page, "Settings", "tab");
    await page.getByPlaceholder("Kept. Enter another to replace it.").waitFor();
    expect(await page.content()).not.toContain(key.secretAccessKey);

    // Run Settings on the left bar; edit the default one: 5 clients, 5 iterations; Save on the top right.
    await click(menu, "Run Settings", "link");
    await click(page, "default", "link");
    await fill(page, "Clients", "5");
    await fill(page, "Iterations", "5");
    expect(await topRight(page, named(page, "Save", "button"))).toBe(true);
    await click(page, "Save", "button");
    await says(page, "Run setting saved.");

    // Back to the Tests page: open the connector. Its createThing stage has the names of things. Run it, and see the result.
    await click(menu, "Tests", "link");
    await click(page, "aws-iot-connector", "link");
    await click(page, "createThing", "tab");
    await page.getByText("Runs at iteration 4.").waitFor();
    await runTest(page);
    expect(await figureOf(page, "Devices")).toBe("5");

    // Once it has been completed, the glob has the certificates, and the entry aws_iot_endpoint.
    await click(menu, "Glob", "link");
    await page.getByRole("link", { name: "aws_iotify_4_cert" }).waitFor();
    await fill(page, "Keys that begin with", "aws_iotify_0");
    await page.getByRole("link", { name: "aws_iotify_4_cert" }).waitFor({ state: "detached" });
    await click(page, "aws_iotify_0_key", "link");
    await says(page, /A private key, which is not shown/);
    expect(await page.content()).not.toContain("PRIVATE KEY-----");
    await click(page, "Show", "button");
    await says(page, /-----BEGIN [A-Z ]*PRIVATE KEY-----/);
    await click(menu, "Glob", "link");
    await click(page, "aws_iot_endpoint", "link");
    const endpoint = await page.getByLabel("Value", { exact: true }).innerText();

    // What it made: five things of a type, in a group, each with a certificate that has the policy.
    const iot = new IoTClient({ endpoint: server.url, region: "us-east-1", credentials: key });
    for (let i = 0; i < 5; i++) {
      const { principals = [] } = await iot.send(new ListThingPrincipalsCommand({ thingName: `iotify_${i}` }));
      expect(principals).toHaveLength(1);
      const { policies } = await iot.send(new ListAttachedPoliciesCommand({ target: principals[0] }));
      expect(policies?.map((p) => p.policyName)).toEqual(["IOTIFY_AUTOMATED_POLICY"]);
    }
    await page.goto(server.url + "/#/iot/thing-groups/details/iotify?tab=things");
    await page.getByRole("link", { name: "iotify_4" }).waitFor();
    await page.goto(server.url + "/#/iot/thing-types/details/iotify_type");
    await page.getByRole("heading", { name: "iotify_type" }).first().waitFor();

    // Step 2, a device model: in its Protocol tab the endpoint and Certificate under Security, key and certificate as
    // templates; in its init stage what fetches them from the glob.
    await page.goto(server.url + "/#/fleet/tests");
    await click(page, "Create test", "link");
    await fill(page, "Test name", "my-device");
    await click(page, "Create test", "button");
    await says(page, "Test my-device created.");
    await click(page, "init", "tab");
    await paste(page, "Stage init", init);
    await click(page, "Protocol", "tab");
    await click(page, "MQTT", "button");
    await fill(page, "Endpoint", endpoint);
    await click(page, "Certificate", "radio");
    await fill(page, "Private key", "{{state.__$key}}");
    await page.getByRole("textbox", { name: "Certificate", exact: true }).fill("{{state.__$cert}}"); // the choice is called so too
    await fill(page, "Topic", "devices/{{client()}}/data");
    await click(page, "Save", "button");
    await says(page, "Test my-device saved.");
    await runTest(page);
    expect(await figureOf(page, "Messages published")).toBe("25");

    // The state does not show the key and the certificate.
    await click(page, "Devices", "tab");
    await click(page, "3", "link");
    await says(page, /"name": "device 3"/);
    expect(await page.locator("pre[aria-label=State]").innerText()).not.toContain("__$");
    await click(page, "Payload", "tab");
    await says(page, "Last message to devices/3/data");

    // The connector may run again: what is there stays.
    await click(menu, "Tests", "link");
    await click(page, "aws-iot-connector", "link");
    await runTest(page);
    expect((await iot.send(new ListThingPrincipalsCommand({ thingName: "iotify_0" }))).principals).toHaveLength(1);
    expect(complaints).toEqual([]);
  });
});
