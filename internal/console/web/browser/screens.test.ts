// Every screen, wide and narrow, light and dark: it comes up, fits, has its parts
// named for screen readers, and breaks no rule of the Content-Security-Policy.
import type { Locator } from "playwright-core";
import { describe, expect, test } from "vitest";
import { services } from "../src/services";
import { links } from "../src/services/service";
import { faultsOf } from "./axe";
import { settled, signInAsRoot, useServer } from "./console";

// All that menus and the search lead to, and what is there without a link.
const screens = ["#/", "#/account", "#/nowhere", "#/iam/users/details/nobody", "#/iam/nowhere", ...services.flatMap((s) => links(s).map((l) => `#/${s.id}${l.path}`))];
const missing = ["#/nowhere", "#/iam/nowhere"];

/** Milliseconds from when an address is opened until something of it is there. */
async function took(open: () => Promise<unknown>, there: Locator): Promise<number> {
  const began = performance.now();
  await Promise.all([open(), there.waitFor()]);
  return Math.round(performance.now() - began);
}

describe("screens", () => {
  const server = useServer();

  // Measured and told, not held to: machines differ, and are busy.
  test("how long the first page takes", async () => {
    const { page, context } = await server.visit();
    const first = await took(() => page.goto(server.url), page.getByLabel("Password"));
    const of = await page.evaluate(() => performance.getEntriesByType("resource").map((r) => (r as PerformanceResourceTiming).encodedBodySize));
    await signInAsRoot(server, page);
    const other = await context.browser()?.newContext({ storageState: await context.storageState() }); // signed in, and nothing kept but that
    const again = await other?.newPage();
    if (!other || !again) throw new Error("there is no browser");
    const home = await took(() => again.goto(server.url), again.getByRole("heading", { name: "Console Home" }));
    const things = await took(() => again.goto(server.url + "/#/iot/things"), again.getByText("You don't have any things yet"));
    await other.close();
    console.info(`first page, nothing kept: sign-in after ${first} ms (${of.length} files, ${Math.round(of.reduce((a, b) => a + b, 0) / 1000)} kB), Console Home after ${home} ms, from there the list of things after ${things} ms`);
  });

  for (const { width, dark } of [
    { width: 1440, dark: false },
    { width: 390, dark: true },
  ]) {
    test(`${width} pixels, ${dark ? "dark" : "light"}`, async () => {
      const { page, complaints } = await server.visit({ width, dark });
      await page.goto(server.url);
      const faults: string[] = [];
      const look = async (screen: string) => {
        await settled(page);
        if (!(await page.title()).endsWith("thingd")) faults.push(`${screen}: its title is ${await page.title()}`);
        faults.push(...(await faultsOf(page, screen)));
      };
      await page.getByLabel("Password").waitFor();
      await look("sign-in");
      await signInAsRoot(server, page);
      for (const screen of screens) {
        await page.goto(server.url + "/" + screen);
        await look(screen);
        if ((await page.getByRole("heading", { name: "Page not found" }).count()) > 0 !== missing.includes(screen)) faults.push(`${screen}: is not what it should be`);
      }
      expect(faults).toEqual([]);
      expect(complaints).toEqual([]);
    }, 300_000);
  }
});
