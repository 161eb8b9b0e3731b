// "AWS IoT Connector" of IoTIFY, step 1: a user with a policy of its own, made in
// another tab, and an access key for a tool outside, which then signs with it.
import { readFileSync } from "node:fs";
import { IAMClient, ListUsersCommand } from "@aws-sdk/client-iam";
import { describe, expect, test } from "vitest";
import { click, fill, named, paste, says, signInAsRoot, tick, useServer } from "./console";

const policy = JSON.stringify(
  {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "VisualEditor0",
        Effect: "Allow",
        Action: ["iot:DetachThingPrincipal", "iot:CreateThing", "iot:DeleteThing", "iot:AttachThingPrincipal", "iot:CreateThingType", "iot:CreateThingGroup", "iot:AddThingToThingGroup", "iot:CreatePolicy", "iot:CreateKeysAndCertificate", "iot:AttachPolicy", "iot:DescribeEndpoint"],
        Resource: "*",
      },
    ],
  },
  null,
  4,
);

describe("IoTIFY connector", () => {
  const server = useServer();

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
});
