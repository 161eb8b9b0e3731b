// IoT Core beside the tutorials' path: a kit for a device, many things at once,
// certificates of one's own, versions of a policy, shadows, retained messages,
// groups, role aliases and settings.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CreateThingCommand, IoTClient } from "@aws-sdk/client-iot";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { click, fill, named, paste, says, settled, signInAsRoot, tick, useServer, type Visit } from "./console";
import { endpointOf, save, talk } from "./device";

const openssl = (dir: string, ...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });

const unzip = (archive: string, to: string) => execFileSync("python3", ["-m", "zipfile", "-e", archive, to]);

const dialog = (page: Page) => page.getByRole("dialog").filter({ visible: true });

/** select picks an option of a Cloudscape select. */
async function select(page: Page, label: string, option: string): Promise<void> {
  await page.getByRole("button", { name: new RegExp(`^${label}(?! -)\\b`) }).filter({ visible: true }).first().click();
  await page.getByRole("option", { name: option }).filter({ visible: true }).first().click();
}

/** choose opens an item of the Actions menu. */
async function act(page: Page, item: string): Promise<void> {
  await click(page, "Actions", "button");
  await click(page, item, "menuitem");
}

describe("IoT Core", () => {
  const server = useServer();
  let visit: Visit;
  const open = async (path: string) => {
    await visit.page.goto(`${server.url}/#/iot${path}`);
    await settled(visit.page);
  };
  const at = (name: string) => join(server.dir, name);

  test("a kit connects a device", async () => {
    visit = await server.visit();
    const { page } = visit;
    await signInAsRoot(server, page);
    await open("/connect");
    await click(page, "Create connection kit", "button");
    await says(page, "Enter a thing name.");
    await fill(page, "Thing name", "kit-1");
    await fill(page, "Password of the key stores", "changeit");
    await click(page, "Create connection kit", "button");
    await page.getByRole("heading", { name: "Download connection kit" }).waitFor();
    const called = await save(page, page.getByRole("button", { name: "Download connection kit" }), at("kit.zip"));
    expect(called).toMatch(/\.zip$/);
    unzip(at("kit.zip"), at("kit"));
    const files: string[] = readdirSync(at("kit"), { recursive: true }).map(String);
    const file = (end: string) => join(at("kit"), files.find((f) => f.endsWith(end)) ?? `nothing ends with ${end}`);
    await click(page, "Continue to the thing");
    await settled(page);
    await says(page, "Never connected");
    const host = await endpointOf(page);
    const device = { certificate: file("-certificate.pem.crt"), privateKey: file("-private.pem.key"), root: file("AmazonRootCA1.pem") };
    await talk(server, device, host, "kit-1/data", ["kit-1", "basicPubSub"]);
    await open("/things/details/kit-1?tab=activity");
    await says(page, "Disconnected");
    await says(page, /\(UTC.*\((now|.* ago)\)/);

    // A thing that is there is not made anew.
    await open("/connect");
    await fill(page, "Thing name", "kit-1");
    await fill(page, "Password of the key stores", "changeit");
    await click(page, "Create connection kit", "button");
    await says(page, "There is a thing kit-1 already.");
  });

  test("types, groups, and many things with keys of their own", async () => {
    const { page } = visit;
    await open("/thing-types/create");
    await fill(page, "Thing type name", "camera");
    await fill(page, "Searchable attributes - optional", "model");
    await click(page, "Create thing type", "button");
    await says(page, "Thing type camera created.");
    await open("/thing-groups/create");
    await fill(page, "Thing group name", "garden");
    await click(page, "Create thing group", "button");
    await says(page, "Thing group garden created.");
    await open("/thing-groups/details/garden?tab=groups");
    await click(page, "Create thing group");
    await fill(page, "Thing group name", "gate");
    await click(page, "Create thing group", "button");
    await says(page, "Thing group gate created.");
    await named(page.getByRole("main"), "garden", "link").waitFor();

    await open("/things/create-many");
    await fill(page, "Thing names", "cam-[01-03]");
    await click(page, "Thing type - optional", "button");
    await select(page, "Thing type", "camera");
    await page.getByLabel("Value of attribute 1").fill("x1");
    await click(page, "Thing groups - optional", "button");
    await select(page, "Thing group", "gate");
    await click(page, "Create things", "button");
    await says(page, "3 created");
    await save(page, page.getByRole("button", { name: "Download all keys" }), at("things.zip"));
    unzip(at("things.zip"), at("things"));
    expect(readdirSync(at("things")).sort()).toEqual(["cam-01", "cam-02", "cam-03"]);
    expect(readdirSync(join(at("things"), "cam-02")).map((f) => f.replace(/^[0-9a-f]{10}/, "ID")).sort()).toEqual(["AmazonRootCA1.pem", "ID-certificate.pem.crt", "ID-private.pem.key", "ID-public.pem.key"]);
    await click(page, "Done");

    // The list is narrowed by the server: by type, and by an attribute.
    await page.getByLabel("Attribute key").fill("model");
    await page.getByLabel("Attribute value").fill("x1");
    await named(page, "cam-01", "link").waitFor();
    await named(page, "kit-1", "link").waitFor({ state: "detached" });
    await click(page, "cam-01", "link");
    await click(page, "Thing groups", "tab");
    await named(page.getByRole("main"), "gate", "link").waitFor();
    await open("/thing-groups/details/gate");
    await tick(page, "Select cam-03");
    await click(page, "Remove", "button");
    await click(dialog(page), "Remove", "button");
    await named(page, "cam-03", "link").waitFor({ state: "detached" });
  });

  test("a thing is found among more than the list shows", async () => {
    const { page } = visit;
    const iot = new IoTClient({ endpoint: server.url, region: "us-east-1", credentials: JSON.parse(readFileSync(join(server.dir, "data", "root-credentials"), "utf8")) as { accessKeyId: string; secretAccessKey: string } });
    const names = Array.from({ length: 1001 }, (_, n) => `aa-${String(n).padStart(4, "0")}`); // before all others
    for (let n = 0; n < names.length; n += 50) {
      await Promise.all(names.slice(n, n + 50).map((thingName) => iot.send(new CreateThingCommand({ thingName, attributePayload: { attributes: { hall: `north-${thingName.slice(-1)}` } } }))));
    }
    await open("/things");
    await says(page, /^The first 1,000 things are shown/);
    const search = page.getByLabel("Search things");
    await search.fill("aa-1000");
    await named(page, "aa-1000", "link").waitFor(); // by that very name
    await search.fill("cam-01");
    await named(page, "cam-01", "link").waitFor();
    await search.fill("cam-0");
    await says(page, "No matches");
    await search.fill("");
    await fill(page, "Attribute key", "hall");
    await fill(page, "Attribute value", "north-7*");
    await page.getByRole("heading", { name: "Things (100)" }).waitFor();
    await fill(page, "Attribute value", "north-*");
    await says(page, /^The first 1,000 things are shown/);
    await click(page, "Load more", "button");
    await page.getByRole("heading", { name: "Things (1001)" }).waitFor();
    iot.destroy();
  });

  test("a thing is changed, and deleted", async () => {
    const { page } = visit;
    await open("/things/details/cam-03/edit");
    await page.getByLabel("Value of attribute 1").fill("x2");
    await click(page, "Add attribute", "button");
    await page.getByLabel("Key of attribute 2").fill("serial");
    await page.getByLabel("Value of attribute 2").fill("S-1");
    await click(page, "Save changes", "button");
    await says(page, "Thing cam-03 saved.");
    await page.getByRole("table", { name: "Attributes" }).getByText("S-1").waitFor();
    await click(page, "Delete", "button");
    await fill(dialog(page), "To confirm, enter cam-03", "cam-03");
    await click(dialog(page), "Delete", "button");
    await says(page, "Thing cam-03 deleted.");
  });

  test("versions of a policy", async () => {
    const { page } = visit;
    await open("/policies/details/kit-1-Policy");
    await click(page, "Edit active version");
    await page.getByRole("heading", { name: "Edit kit-1-Policy" }).waitFor();
    // Its four statements fit the form.
    await click(page, "Basic mode");
    await page.getByRole("button", { name: "Remove the statement 4" }).click();
    await click(page, "Save as new version", "button");
    await says(page, "Version 2 of kit-1-Policy saved and active.");
    await says(page, "Active version: 2");
    await page.getByRole("radio", { name: "Select 1" }).check({ force: true });
    await click(page, "Set as active", "button");
    await click(dialog(page), "Set as active", "button");
    await says(page, "Version 1 of kit-1-Policy is active.");
    await page.getByRole("radio", { name: "Select 2" }).check({ force: true });
    await click(page, "Delete version", "button");
    await click(dialog(page), "Delete", "button");
    await says(page, "Version 2 of kit-1-Policy deleted.");

    // What the server alone finds wrong is marked in the editor too.
    await click(page, "Edit active version");
    await page.getByRole("heading", { name: "Edit kit-1-Policy" }).waitFor();
    await paste(page, "Policy document", '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Connect","Resource":"*","Condition":{"Nonsense":{"aws:SourceIp":"x"}}}]}');
    await click(page, "Save as new version", "button");
    await says(page, /^MalformedPolicyException/);
    await open("/policies/details/kit-1-Policy?tab=targets");
    await page.getByRole("table", { name: "Targets" }).getByText("Certificate", { exact: true }).waitFor();
  });

  test("certificates of one's own key, and of one's own authority", async () => {
    const { page } = visit;
    const dir = at("ca");
    mkdirSync(dir);
    openssl(dir, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "device.key", "-subj", "/CN=device", "-out", "device.csr");
    await open("/certificates/create");
    await click(page, "Create with CSR", "button");
    await fill(page, "Certificate signing request", readFileSync(join(dir, "device.csr"), "utf8"));
    await click(page, "Sign the request", "button");
    await page.getByRole("heading", { name: "Certificate created!" }).waitFor();
    expect(await page.getByRole("row", { name: /private key/ }).count()).toBe(0);
    await click(page, "Done");
    await says(page, /It is inactive/);

    await open("/certificate-authorities/register");
    const code = await page.locator("pre").innerText();
    const cn = /CN=([0-9a-f]+)/.exec(code)?.[1] ?? "";
    openssl(dir, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "rootCA.key", "-subj", "/CN=Own CA", "-days", "30", "-out", "rootCA.pem");
    openssl(dir, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "v.key", "-subj", `/CN=${cn}`, "-out", "v.csr");
    const sign = (csr: string, out: string) => openssl(dir, "x509", "-req", "-in", csr, "-CA", "rootCA.pem", "-CAkey", "rootCA.key", "-CAcreateserial", "-days", "30", "-sha256", "-out", out);
    sign("v.csr", "v.pem");
    sign("device.csr", "device.pem");
    const text = (name: string) => readFileSync(join(dir, name), "utf8");
    await fill(page, "CA certificate", text("rootCA.pem"));
    await fill(page, "Verification certificate", text("v.pem"));
    await click(page, "Register", "button");
    await says(page, "CA certificate registered.");
    const ca = /details\/([0-9a-f]{64})/.exec(page.url())?.[1] ?? "";
    expect(ca).not.toBe("");

    await open("/certificates/register");
    await select(page, "Registered CA", ca);
    await fill(page, "Certificates", text("device.pem"));
    await click(page, "Register certificates", "button");
    await says(page, "Certificate registered.");
    await open(`/certificate-authorities/details/${ca}`);
    await page.getByRole("table", { name: "Certificates" }).getByText("Inactive", { exact: true }).first().waitFor();
    const link = page.getByRole("table", { name: "Certificates" }).getByRole("link").first();
    const id = await link.innerText();
    await link.click();
    await act(page, "Activate");
    await click(dialog(page), "Activate", "button");
    await says(page, `Certificate ${id.slice(0, 10)}… activated.`);
    await act(page, "Revoke");
    await click(dialog(page), "Revoke", "button");
    await says(page, "Revoked");
    await act(page, "Delete");
    await fill(dialog(page), "To confirm, enter delete", "delete");
    await click(dialog(page), "Delete", "button");
    await says(page, `Certificate ${id.slice(0, 10)}… deleted.`);
  });

  test("shadows, classic and named", async () => {
    const { page } = visit;
    await open("/things/details/cam-01?tab=shadows");
    await click(page, "Create Shadow", "button");
    await click(dialog(page), "Create", "button");
    await page.getByRole("heading", { name: "Classic Shadow" }).waitFor();
    await click(page, "Edit", "button");
    await paste(page, "Shadow state", '{"desired": {"on": true}, "reported": {"on": false}}');
    await click(page, "Update", "button");
    await says(page, "Shadow updated.");
    await says(page, "Desired and reported state differ");
    await page.getByText(/"welcome"/).first().waitFor({ state: "detached" });

    await open("/things/details/cam-01?tab=shadows");
    await click(page, "Create Shadow", "button");
    await fill(dialog(page), "Shadow name", "config");
    await click(dialog(page), "Create", "button");
    await page.getByRole("heading", { name: "config", level: 1 }).waitFor();
    await click(page, "MQTT topics", "tab");
    await says(page, "$aws/things/cam-01/shadow/name/config/update/delta");
    await click(page, "Delete", "button");
    await click(dialog(page), "Delete", "button");
    await says(page, "config of cam-01 deleted.");
  });

  test("retained messages", async () => {
    const { page } = visit;
    await open("/retained-messages");
    await click(page, "Publish a retained message", "button");
    await fill(dialog(page), "Topic name", "garden/gate#");
    await says(page, "A topic to publish to has no wildcards.");
    await fill(dialog(page), "Topic name", "garden/gate");
    await fill(dialog(page), "Message payload", '{"open":true}');
    await click(dialog(page), "Publish", "button");
    await says(page, "Published to garden/gate, and retained.");
    await click(page, "garden/gate", "link");
    await page.getByText('"open": true').waitFor();
    await click(page, "Delete", "button");
    await click(dialog(page), "Delete", "button");
    await says(page, "The retained message of garden/gate is deleted.");
    await says(page, "No message has been published with RETAIN.");
  });

  test("role aliases and settings", async () => {
    const { page } = visit;
    await open("/role-aliases/create");
    await fill(page, "Role alias name", "cameras");
    await page.getByRole("combobox", { name: "Role" }).fill(`arn:aws:iam::${server.root.accountId}:role/cameras`);
    await page.keyboard.press("Escape");
    await fill(page, "Credential duration (seconds)", "899");
    await click(page, "Create", "button");
    await says(page, /^A whole number of seconds/);
    await fill(page, "Credential duration (seconds)", "900");
    await click(page, "Create", "button");
    await says(page, /Role alias cameras created|is not|does not/);

    await open("/settings");
    await click(page, "Manage events", "button");
    await dialog(page).getByRole("checkbox", { name: /^Thing: created/ }).setChecked(true, { force: true });
    await click(dialog(page), "Update", "button");
    await says(page, "Event-based messages updated.");
    await page.getByRole("row", { name: /^Thing: created/ }).getByText("On", { exact: true }).waitFor();
    await click(page, "Manage logs", "button");
    await dialog(page).getByRole("combobox", { name: "Role" }).fill(`arn:aws:iam::${server.root.accountId}:role/logs`);
    await page.keyboard.press("Tab");
    await click(dialog(page), "Update", "button");
    await says(page, "Logs updated.");
    await click(page, "Add log level", "button");
    await fill(dialog(page), "Target", "garden");
    await click(dialog(page), "Add", "button");
    await page.getByRole("table", { name: "Log levels of their own" }).getByText("garden").waitFor();
    expect(visit.complaints).toEqual([]);
  });
});
