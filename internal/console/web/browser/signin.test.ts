// Signing in and out, sessions that end, and what a browser keeps of them.
import { describe, expect, test } from "vitest";
import { click, fill, says, signInAsRoot, tick, useServer } from "./console";

describe("sign-in", () => {
  const server = useServer();

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
    const { readFileSync } = await import("node:fs");
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
