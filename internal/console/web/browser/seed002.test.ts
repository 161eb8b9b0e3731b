// "Amazon AWS IoT platform" of Eclipse Kura, steps 1 to 6, as written; then a
// real MQTT client with the files that were downloaded, at the endpoint of Settings.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { click, fill, named, says, signInAsRoot, tick, topRight, useServer, type Visit } from "./console";
import { endpointOf, refused, row, save, talk, type Files } from "./device";

describe("Eclipse Kura on AWS IoT", () => {
  const server = useServer();
  let visit: Visit;
  let files: Files;
  let id: string; // first ten digits of the certificate's
  const menu = () => visit.page.getByRole("navigation");

  test("steps 1 and 2: a policy", async () => {
    visit = await server.visit();
    const { page } = visit;
    await signInAsRoot(server, page);

    // 1. IoT Core from the services list, in the Internet of Things section.
    await click(page, "Services", "button");
    await page.getByText("Internet of Things").filter({ visible: true }).first().waitFor();
    await page.getByRole("menuitem", { name: /^IoT Core/ }).click();
    await page.getByRole("heading", { name: "AWS IoT", exact: true, level: 1 }).waitFor();

    // 2. Secure -> Policies, then Create, in the top right.
    await menu().getByText("Secure", { exact: true }).waitFor();
    await click(menu(), "Policies", "link");
    await named(page, "Create").waitFor();
    expect(await topRight(page, named(page, "Create"))).toBe(true);
    await click(page, "Create");
    await fill(page, "Name", "kura-default");

    // What is wrong is said in its place.
    await fill(page, "Action", "iot:Connect, Publish");
    await fill(page, "Resource ARN", "*");
    await page.getByRole("button", { name: "Create", exact: true }).click();
    await says(page, '"Publish" is no action: they are written iot:Connect');
    await fill(page, "Action", "iot:Connect, iot:Publish, iot:Subscribe, iot:Receive, iot:UpdateThingShadow, iot:GetThingShadow, iot:DeleteThingShadow");
    await page.getByRole("radiogroup", { name: "Effect" }).getByRole("radio", { name: "Allow" }).check({ force: true });
    await page.getByRole("button", { name: "Create", exact: true }).click();
    await says(page, "Policy kura-default created.");
    await named(page, "kura-default", "link").waitFor();
  });

  test("steps 3 to 6: a thing with a certificate", async () => {
    const { page } = visit;

    // 3. Manage -> Things, Create, Create a single thing; the name, Next.
    await menu().getByText("Manage", { exact: true }).waitFor();
    await click(menu(), "Things", "link");
    await page.getByRole("heading", { name: "Things", level: 1 }).waitFor();
    expect(await topRight(page, named(page, "Create"))).toBe(true);
    await click(page, "Create");
    await click(page, "Create a single thing");
    await fill(page, "Name", "kura-gateway");
    await click(page, "Next");

    // 4. Create certificate. 5. Download the 3 files of the table; the link to the root CA.
    await click(page, "Create certificate");
    await page.getByRole("heading", { name: "Certificate created!" }).waitFor();
    const at = (name: string) => join(server.dir, name);
    files = { certificate: at("certificate.pem.crt"), privateKey: at("private.pem.key"), root: at("root-CA.pem") };
    const called = await save(page, row(page, "A certificate for this thing"), files.certificate);
    id = called.slice(0, 10);
    expect(id).toMatch(/^[0-9a-f]{10}$/);
    expect(called).toBe(`${id}-certificate.pem.crt`);

    // Who goes on without the private key is asked first.
    await click(page, "Attach a policy");
    await says(page, "The private key is not downloaded");
    await click(page.getByRole("dialog"), "Cancel");

    expect(await save(page, row(page, "A private key"), files.privateKey)).toBe(`${id}-private.pem.key`);
    expect(await save(page, row(page, "A public key"), at("public.pem.key"))).toBe(`${id}-public.pem.key`);
    expect(readFileSync(files.privateKey, "utf8")).toContain("PRIVATE KEY-----");
    await says(page, `${server.url}/repository/AmazonRootCA1.pem`);
    expect(await save(page, page.getByRole("button", { name: "Download: A root CA for AWS IoT" }), files.root)).toBe("AmazonRootCA1.pem");

    // Activate, Attach a policy. 6. Select it, and Register thing.
    await click(page, "Activate");
    await page.getByText("Active", { exact: true }).filter({ visible: true }).waitFor();
    await click(page, "Attach a policy");
    await tick(page, "Select kura-default");
    await click(page, "Register thing");
    await says(page, "Thing kura-gateway created.");
    await named(page, "kura-gateway", "link").waitFor();
  });

  test("the keys are those of a device that connects", async () => {
    const host = await endpointOf(visit.page);
    await talk(server, files, host, "aws-test/kura-gateway/data");

    // Certificates can be managed later on by clicking on Secure -> Certificates.
    await click(menu(), "Certificates", "link");
    await visit.page.getByRole("link", { name: new RegExp(`^${id}`) }).waitFor();
  });

  test("a policy attached later: Things, the device, Security, the certificate, Policies, Actions, Attach policy", async () => {
    const { page } = visit;
    await page.goto(server.url + "/#/iot/policies/create");
    await fill(page, "Name", "another");
    await fill(page, "Action", "iot:Connect");
    await fill(page, "Resource ARN", "*");
    await page.getByRole("button", { name: "Create", exact: true }).click();
    await says(page, "Policy another created.");

    await click(menu(), "Things", "link");
    await click(page, "kura-gateway", "link");
    await click(page, "Security", "tab");
    await page.getByRole("link", { name: new RegExp(`^${id}`) }).click();
    await click(page, "Policies", "tab");
    await named(page, "kura-default", "link").waitFor();
    await click(page, "Actions", "button");
    await click(page, "Attach policy", "menuitem");
    await tick(page.getByRole("dialog"), "Select another");
    await click(page.getByRole("dialog"), "Attach");
    await says(page, "another attached.");
    await named(page, "another", "link").waitFor();
    await click(page, "Things", "tab");
    await named(page, "kura-gateway", "link").waitFor();

    // And taken away again, with effect on devices: without any policy nothing is allowed.
    await click(page, "Policies", "tab");
    await page.getByRole("checkbox", { name: "Select all" }).check({ force: true });
    await click(page, "Detach", "button");
    await click(page.getByRole("dialog"), "Detach", "button");
    await says(page, "No policies are attached to this certificate. Without one nothing is allowed.");
    await refused(server, files, await endpointOf(page));
    expect(visit.complaints).toEqual([]);
  });
});
