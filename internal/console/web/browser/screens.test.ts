// Every screen, wide and narrow, light and dark: it comes up, fits, has its parts
// named for screen readers, and breaks no rule of the Content-Security-Policy.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { services } from "../src/services";
import { links } from "../src/services/service";
import { settled, signInAsRoot, useServer } from "./console";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// All that menus and the search lead to, and what is there without a link.
const screens = ["#/", "#/account", "#/nowhere", "#/iam/users/details/nobody", "#/iam/nowhere", ...services.flatMap((s) => links(s).map((l) => `#/${s.id}${l.path}`))];
const missing = ["#/nowhere", "#/iam/nowhere"];

interface Violation {
  id: string;
  impact?: string;
  nodes: { html: string }[];
}

describe("screens", () => {
  const server = useServer();
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
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (over > 0) faults.push(`${screen}: ${over} pixels too wide`);
        if (!(await page.title()).endsWith("thingd")) faults.push(`${screen}: its title is ${await page.title()}`);
        if (width < 600) return; // the same elements
        await page.evaluate(axe);
        const violations = await page.evaluate(async () => {
          const { axe } = window as unknown as { axe: { run: (of: Document, o: object) => Promise<{ violations: Violation[] }> } };
          return (await axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa"], rules: { "color-contrast": { enabled: false } } })).violations;
        });
        for (const v of violations) if (v.impact === "serious" || v.impact === "critical") faults.push(`${screen}: ${v.id}: ${v.nodes[0]?.html.slice(0, 200)}`);
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
    });
  }
});
