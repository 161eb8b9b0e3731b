// Signing in and out, sessions that end, and what a browser keeps of them.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { AttachUserPolicyCommand, CreateLoginProfileCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from "@aws-sdk/client-iam";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { click, fill, named, says, signInAsRoot, tick, useServer } from "./console";

/** The code of an authenticator app (RFC 6238), some steps from now. */
function code(base32: string, steps: number): string {
  let bits = "";
  for (const c of base32.replace(/=+$/, "")) bits += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", key).update(counter).digest();
  const at = (mac[19] ?? 0) & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

describe("sign-in", () => {
  const server = useServer();

  /** An IAM user who may sign in, and what a policy of his own allows. */
  async function user(UserName: string, Action: string[]): Promise<void> {
    const credentials = JSON.parse(readFileSync(join(server.dir, "data", "root-credentials"), "utf8")) as { accessKeyId: string; secretAccessKey: string };
    const iam = new IAMClient({ endpoint: server.url, region: "us-east-1", credentials });
    await iam.send(new CreateUserCommand({ UserName }));
    await iam.send(new CreateLoginProfileCommand({ UserName, Password: "Gr33n-Tomatoes" }));
    await iam.send(new AttachUserPolicyCommand({ UserName, PolicyArn: "arn:aws:iam::aws:policy/IAMUserChangePassword" }));
    if (Action.length) await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: "own", PolicyDocument: JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action, Resource: "*" }] }) }));
    iam.destroy();
  }
  const signIn = async (page: Page, name: string) => {
    await page.goto(`${server.url}/console?account=${server.root.accountId}`);
    await fill(page, "IAM user name", name);
    await fill(page, "Password", "Gr33n-Tomatoes");
    await click(page, "Sign in", "button");
  };

  test("the root user, wrong and right; a reload; nothing secret is kept", async () => {
    const { page, complaints } = await server.visit();
    // A deep link waits until one is signed in.
    await page.goto(server.url + "/#/iam/settings");
    await fill(page, "Root user email address", server.root.email);
    await fill(page, "Password", "wrong");
    await page.keyboard.press("Enter");
    await says(page, "Your authentication information is incorrect. Please try again.");
    await fill(page, "Password", server.root.password);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Account settings", level: 1 }).waitFor();
    await says(page, "At least 8 characters");

    await page.reload();
    await page.getByRole("heading", { name: "Account settings", level: 1 }).waitFor();
    await says(page, "At least 8 characters");
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
    expect(kept).toBe('[{},{},""]');
    expect(complaints).toEqual([]);
  });

  test("an IAM user by alias, who has to choose a new password", async () => {
    const { page, complaints } = await server.visit();
    await signInAsRoot(server, page);
    await page.goto(server.url + "/#/iam");
    await click(page, "Create account alias", "button");
    await fill(page, "Preferred alias", "garden-things");
    await click(page.getByRole("dialog"), "Save changes");
    await says(page, "The account's alias is garden-things.");

    await page.goto(server.url + "/#/iam/users/create");
    await fill(page, "User name", "eve");
    await tick(page, "AWS Management Console access");
    await click(page, "Next");
    await click(page, "Next");
    await click(page, "Create user", "button");
    await page.getByRole("heading", { name: "Retrieve password" }).waitFor();
    const saving = page.waitForEvent("download");
    await click(page, "Download .csv file");
    const path = await (await saving).path();
    const [, line = ""] = readFileSync(path, "utf8").split("\r\n");
    const url = `${server.url}/console?account=garden-things`;
    expect(line.startsWith("eve,") && line.endsWith("," + url)).toBe(true);
    const quoted = line.slice(4, -url.length - 1);
    const password = quoted.startsWith('"') ? quoted.slice(1, -1).replaceAll('""', '"') : quoted;

    const eve = await server.visit();
    await eve.page.goto(url);
    await fill(eve.page, "IAM user name", "eve");
    await fill(eve.page, "Password", password);
    await click(eve.page, "Sign in", "button");
    await says(eve.page, "You must change your password to continue.");
    await fill(eve.page, "New password", "Y3llow-Tomatoes");
    await fill(eve.page, "Retype new password", "Y3llow-Potatoes");
    await click(eve.page, "Confirm password change");
    await says(eve.page, "The two new passwords are not the same.");
    await fill(eve.page, "Retype new password", "Y3llow-Tomatoes");
    await click(eve.page, "Confirm password change");
    await eve.page.getByRole("button", { name: /eve @ garden-things/ }).first().waitFor();
    expect(eve.page.url()).not.toContain("account=");

    // When root deletes the user, the open page finds out and asks to sign in.
    await page.goto(server.url + "/#/iam/users/details/eve");
    await click(page, "Delete", "button");
    await fill(page.getByRole("dialog"), "To confirm, enter eve", "eve");
    await click(page.getByRole("dialog"), "Delete user");
    await says(page, "User eve deleted.");
    await eve.page.goto(server.url + "/#/iam/users");
    await says(eve.page, "Your session has ended");
    expect([...complaints, ...eve.complaints]).toEqual([]);
  });

  test("a user assigns an MFA device, is asked for its code, and removes it", async () => {
    await user("ann", ["iam:*MFADevice*"]);
    const { page, complaints } = await server.visit();
    await signIn(page, "ann");
    await page.getByRole("button", { name: /^Account / }).first().click();
    await click(page, "Security credentials", "menuitem");
    await says(page, "No MFA device is assigned: you sign in by password alone.");
    const dialog = page.getByRole("dialog").filter({ visible: true });
    const setUp = async (name: string) => {
      await click(page, "Assign MFA device", "button");
      await fill(dialog, "Device name", name);
      await click(dialog, "Next", "button");
      await click(dialog, "Show QR code", "button");
      const picture = dialog.getByRole("img", { name: /^QR code/ });
      await expect.poll(() => picture.evaluate((i: HTMLImageElement) => i.complete && i.naturalWidth > 0)).toBe(true);
      await click(dialog, "Show secret key", "button");
      return (await dialog.getByText(/^[A-Z2-7]{32,}=*$/).first().textContent()) ?? "";
    };

    // Who thinks better of it leaves nothing: the name is free again.
    await setUp("phone");
    await click(dialog, "Cancel", "button");
    const secret = await setUp("phone");
    await fill(dialog, "MFA code 1", "000000");
    await fill(dialog, "MFA code 2", "000001");
    await click(dialog, "Add MFA", "button");
    await says(page, "Authentication code for device is not valid.");
    await fill(dialog, "MFA code 1", code(secret, -2));
    await fill(dialog, "MFA code 2", code(secret, -1));
    await click(dialog, "Add MFA", "button");
    await says(page, "MFA device assigned.");
    await says(page, `arn:aws:iam::${server.root.accountId}:mfa/phone`);

    const again = await server.visit();
    await signIn(again.page, "ann");
    await fill(again.page, "MFA code", code(secret, 0));
    await again.page.keyboard.press("Enter");
    await again.page.getByRole("button", { name: /ann @ / }).first().waitFor();

    await page.getByRole("radio", { name: /^Select arn:aws:iam/ }).check({ force: true });
    await click(page, "Remove", "button");
    await click(dialog, "Remove", "button");
    await says(page, "MFA device removed.");
    await says(page, "No MFA device is assigned: you sign in by password alone.");
    expect([...complaints, ...again.complaints]).toEqual([]);
  });

  test("what is refused says why to who may ask", async () => {
    await user("may", ["thingd:ExplainRefusal"]);
    await user("maynot", []);
    const may = await server.visit();
    await signIn(may.page, "may");
    await may.page.getByRole("heading", { name: "Console Home" }).waitFor();
    await may.page.goto(server.url + "/#/iot/things");
    await says(may.page, /user\/may is not authorized to perform: iot:ListThings/);
    await click(may.page, "Why?", "button");
    const why = may.page.getByRole("region", { name: "Why" }).first();
    await why.getByText(/none is for this action and caller/).waitFor();
    await why.getByText("would allow it:").waitFor();
    await why.getByText('"Action": "iot:ListThings"').waitFor();

    const mayNot = await server.visit();
    await signIn(mayNot.page, "maynot");
    await mayNot.page.getByRole("heading", { name: "Console Home" }).waitFor();
    await mayNot.page.goto(server.url + "/#/kinesisvideo/streams");
    await click(mayNot.page, "Why?", "button");
    await says(mayNot.page, "Why it was refused is told to those who may call thingd:ExplainRefusal.");
    await mayNot.page.goto(server.url + "/#/iot/things");
    await says(mayNot.page, /is not authorized to perform: iot:ListThings/);
    expect(await named(mayNot.page, "Why?", "button").count()).toBe(0); // not offered again
    expect([...may.complaints, ...mayNot.complaints]).toEqual([]);
  });

  test("signing out ends the session in all tabs", async () => {
    const { page, context } = await server.visit();
    await signInAsRoot(server, page);
    const other = await context.newPage();
    await other.goto(server.url + "/#/iam/users");
    await other.getByRole("heading", { name: "Users" }).waitFor();
    await page.getByRole("button", { name: /^Account / }).first().click();
    await click(page, "Sign out", "menuitem");
    await page.getByLabel("Root user email address").waitFor();
    await other.getByLabel("Root user email address").waitFor();
  });
});
