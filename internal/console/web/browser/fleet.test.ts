// The fleet beside the tutorial's path: a model with faults, runs that are stopped or
// fail, what is taken out and brought in again, and how its screens are to be used.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { faultsOf } from "./axe";
import { click, fill, named, paste, says, settled, signInAsRoot, useServer } from "./console";

async function createSetting(page: Page, url: string, name: string, fields: Record<string, string>, threshold?: string): Promise<void> {
  await page.goto(url + "/#/fleet/run-settings/create");
  await fill(page, "Name", name);
  for (const [label, value] of Object.entries(fields)) await fill(page, label, value);
  if (threshold) {
    await click(page, "Add threshold", "button");
    await page.getByLabel("Threshold 1").fill(threshold);
  }
  await click(page, "Save", "button");
  await page.getByRole("table", { name: "Run Settings" }).getByRole("link", { name, exact: true }).waitFor();
}

async function run(page: Page, setting: string): Promise<void> {
  await click(page, "Run", "button");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: /^Run setting/ }).click();
  await dialog.getByRole("option", { name: setting }).click();
  await dialog.getByRole("button", { name: /^(Save and run|Run)$/ }).click();
  await page.getByRole("heading", { name: /^Result of / }).waitFor();
}

const status = (page: Page, text: string) => page.getByRole("status").filter({ hasText: new RegExp(`^${text}$`) }).waitFor({ timeout: 60_000 });

describe("fleet", () => {
  const server = useServer();

  test("models, runs, documents", async () => {
    const { page, complaints } = await server.visit();
    await signInAsRoot(server, page);
    const faults: string[] = [];
    const look = async (what: string) => {
      await settled(page);
      faults.push(...(await faultsOf(page, what)));
    };

    // Settings that cannot be read are marked, and not sent.
    await page.goto(server.url + "/#/fleet/run-settings/create");
    await fill(page, "Name", "long");
    await fill(page, "Duration", "soon");
    await click(page, "Save", "button");
    await says(page, "Enter a time such as 500ms, 10s, 1.5m or 2h.");
    await createSetting(page, server.url, "long", { Clients: "3", Iterations: "", "Iteration interval": "200ms", Duration: "5m" });
    await createSetting(page, server.url, "strict", { Clients: "2", Iterations: "2" }, "iterations count >= 100");
    await page.goto(server.url + "/#/fleet/run-settings/create");
    await fill(page, "Name", "strict");
    await click(page, "Save", "button");
    await says(page, "There is a run setting strict already.");

    // A model that cannot run says where; the line leads into its stage.
    await page.goto(server.url + "/#/fleet/tests/create");
    await fill(page, "Test name", "counter");
    await click(page, "Create test", "button");
    await says(page, "Test counter created.");
    await click(page, "running", "tab");
    await paste(page, "Stage running", "log('here');\nreturn {;\n");
    await says(page, "The device model cannot run as it is");
    await click(page, "init", "tab");
    await page.getByRole("button", { name: /^stage running, line 2:/ }).first().click();
    await page.getByRole("tab", { name: "running", selected: true }).waitFor();
    await paste(page, "Stage running", "log('here');\nstate.__$hidden = 1;\nreturn { device: client() };\n");
    await page.getByText("The device model cannot run as it is").waitFor({ state: "detached" });
    await look("a test");

    // What is not saved outlasts a look elsewhere.
    await page.goto(server.url + "/#/fleet/glob");
    await page.getByRole("heading", { name: "Glob" }).first().waitFor();
    await page.goto(server.url + "/#/fleet/tests/details/counter");
    await says(page, "Not saved");
    for (const tab of ["Protocol", "Settings", "JSON"]) {
      await click(page, tab, "tab");
      await look(tab);
    }

    // A run is stopped; its devices and logs are there while it runs, and after.
    await run(page, "long");
    await status(page, "Running");
    await click(page, "Logs", "tab");
    await page.getByRole("log").getByText("here").first().waitFor();
    await look("logs");
    await click(page, "Devices", "tab");
    await page.getByRole("table", { name: "Devices" }).getByRole("link", { name: "2" }).waitFor();
    await look("devices");
    await page.getByRole("button", { name: "Phase" }).click();
    await page.getByRole("option", { name: /^Failed/ }).click();
    await says(page, "No device is in the phase failed.");
    await page.getByRole("button", { name: "Phase" }).click();
    await page.getByRole("option", { name: /^Running/ }).click();
    await page.getByRole("table", { name: "Devices" }).getByRole("link", { name: "2" }).waitFor();
    await click(page, "Overview", "tab");
    await click(page, "Stop", "button");
    await status(page, "Stopped");
    await look("a result");
    const saving = page.waitForEvent("download");
    await click(page, "Download", "button");
    await click(page, "CSV", "menuitem");
    expect((await saving).suggestedFilename()).toMatch(/\.csv$/);

    // Again, with what it ran with: its run setting is gone meanwhile.
    const address = page.url();
    await page.goto(server.url + "/#/fleet/run-settings");
    await page.getByRole("row").filter({ has: page.getByRole("link", { name: "long", exact: true }) }).getByRole("radio").check();
    await click(page, "Delete", "button");
    await click(page.getByRole("dialog"), "Delete", "button");
    await says(page, "Run setting long deleted.");
    await page.goto(address);
    await click(page, "Run again", "button");
    await status(page, "Running");
    expect(page.url()).not.toBe(address);
    await says(page, "3 clients, one every 200ms, for 5m");
    await click(page, "Stop", "button");
    await status(page, "Stopped");

    // Another does not meet its threshold.
    await page.goto(server.url + "/#/fleet/tests/details/counter");
    await run(page, "strict");
    await status(page, "Failed");
    await says(page, "A threshold was not met");
    await click(page, "Devices", "tab");
    await page.getByLabel("Device number").fill("1");
    await click(page, "Open", "button");
    await page.getByRole("heading", { name: "Device 1" }).waitFor();
    expect(await page.locator("pre[aria-label=State]").innerText()).not.toContain("hidden");
    await look("a device");

    // The model goes out as a document, and comes in as another test.
    await page.goto(server.url + "/#/fleet/tests/details/counter");
    await click(page, "Actions", "button");
    const exporting = page.waitForEvent("download");
    await click(page, "Export", "menuitem");
    const file = await exporting;
    expect(file.suggestedFilename()).toBe("counter.json");
    const model = JSON.parse(readFileSync(await file.path(), "utf8")) as { stages: Record<string, string> };
    expect(model.stages.running).toContain("log('here')");
    const path = join(server.dir, "twin.json");
    writeFileSync(path, JSON.stringify({ ...model, name: "twin" }));
    await page.goto(server.url + "/#/fleet/tests/create");
    await click(page, "Import", "radio");
    await page.getByLabel("Choose a device model").setInputFiles(path);
    await says(page, "twin.json");
    expect(await page.getByLabel("Test name", { exact: true }).inputValue()).toBe("twin");
    await click(page, "Create test", "button");
    await says(page, "Test twin created.");

    // A name that is taken: AWS's message in its place.
    await page.goto(server.url + "/#/fleet/tests/create");
    await fill(page, "Test name", "twin");
    await click(page, "Create test", "button");
    await says(page, "Test twin already exists");

    expect(faults).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test("the glob, by keyboard, narrow and dark", async () => {
    const { page, complaints } = await server.visit({ width: 390, dark: true });
    await signInAsRoot(server, page);
    await page.goto(server.url + "/#/fleet/glob");
    await says(page, "The glob is empty");
    const add = named(page, "Add entry", "button").first();
    await add.focus();
    await page.keyboard.press("Enter");
    const panel = page.getByRole("region", { name: "Add entry" });
    await panel.getByLabel("Key", { exact: true }).waitFor();
    await page.keyboard.press("Escape");
    await panel.waitFor({ state: "detached" });
    expect(await add.evaluate((b) => b === document.activeElement)).toBe(true);
    await page.keyboard.press("Enter");
    await fill(panel, "Key", "a/b");
    await fill(panel, "Value", '{"a": 1');
    await panel.getByRole("button", { name: /The value is/ }).click(); // a list of choices, where it is narrow
    await panel.getByRole("option", { name: "JSON" }).click();
    await click(panel, "Save", "button");
    await panel.getByText(/^Ln 1, Col/).first().waitFor();
    await fill(panel, "Value", '{"a": 1}');
    expect(await faultsOf(page, "panel")).toEqual([]);
    await click(panel, "Save", "button");
    await says(page, "a/b saved.");
    await click(page, "a/b", "link");
    await says(page, '"a": 1');
    expect(await faultsOf(page, "entry")).toEqual([]);
    await click(page, "Delete", "button");
    await click(page.getByRole("dialog"), "Delete", "button");
    await says(page, "The glob is empty");
    expect(complaints).toEqual([]);
  });
});
