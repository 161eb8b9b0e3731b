import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Violation {
  id: string;
  impact?: string;
  nodes: { html: string }[];
}

/** Cloudscape's bar of narrow screens says of its nav which way it lies, which does no harm and is not ours to take away. */
const cloudscapes = (n: Violation["nodes"][number]) => /^<nav [^>]*aria-orientation=/.test(n.html);

/** faultsOf are what keeps people from using a screen as it is: too wide, or against the rules of WCAG 2.1 AA. */
export async function faultsOf(page: Page, screen: string): Promise<string[]> {
  const faults: string[] = [];
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 0) faults.push(`${screen}: ${over} pixels too wide`);
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (of: Document, o: object) => Promise<{ violations: Violation[] }> } };
    return (await axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] })).violations;
  });
  for (const v of violations.filter((v) => !v.nodes.every(cloudscapes))) if (v.impact === "serious" || v.impact === "critical") faults.push(`${screen}: ${v.id}: ${v.nodes[0]?.html.slice(0, 200)}`);
  return faults;
}
