import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium, type Browser, type BrowserContext, type Locator, type Page } from "playwright-core";
import { afterAll, beforeAll, expect } from "vitest";
import { words } from "./words";

/** A thingd of its own, and a browser. */
export interface Server {
  url: string;
  dir: string;
  root: { accountId: string; email: string; password: string };
  browser: Browser;
  /** A browser that knows nothing of the others, with what its pages complained of. */
  visit: (options?: { width?: number; dark?: boolean }) => Promise<Visit>;
}

export interface Visit {
  context: BrowserContext;
  page: Page;
  complaints: string[];
}

export const binary = process.env.THINGD_BIN ?? resolve(import.meta.dirname, "../../../../bin/thingd");

// The shell first: Chromium without its windows, for two thirds of the processor time.
const browsers = [process.env.CHROMIUM, "/usr/bin/chromium-headless-shell", "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/**
 * One browser for all files, which ends with the process. It knows no other host
 * than this one: there is no internet. Its own sandbox does not work for root, as which CI runs.
 */
let shared: Promise<Browser> | undefined;
function browser(): Promise<Browser> {
  const executablePath = browsers.find((b) => b && existsSync(b));
  if (!executablePath) throw new Error("there is no Chromium: scripts/test-deps.sh installs it, or CHROMIUM names one");
  return (shared ??= chromium.launch({
    executablePath,
    args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1", "--in-process-gpu", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])],
  }));
}

/** useServer starts a server before the tests of a file, and ends it after. */
export function useServer(): Server {
  const server = {} as Server;
  let process_: ChildProcess | undefined;
  const visits: Visit[] = [];

  beforeAll(async () => {
    server.dir = mkdtempSync(join(tmpdir(), "thingd-console-"));
    const data = join(server.dir, "data");
    const any = "127.0.0.1:0";
    process_ = spawn(binary, ["serve", "--data", data, "--api", any, "--device", any, "--ops", any, "--mqtt", any, "--root-email", "root@things.example", "--log-level", "warn"], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise<void>((ready, failed) => {
      let said = "";
      process_?.stdout?.on("data", (b: Buffer) => {
        said += b.toString();
        if (said.includes("thingd is ready")) ready();
      });
      process_?.on("error", failed);
      process_?.on("exit", (code) => failed(new Error(`thingd ended with ${code}: ${said}`)));
    });
    const endpoints = JSON.parse(readFileSync(join(data, "endpoints.json"), "utf8")) as { api: string };
    server.url = endpoints.api;
    server.root = JSON.parse(readFileSync(join(data, "root-credentials"), "utf8")) as Server["root"];
    server.browser = await browser();
  });
  afterAll(async () => {
    await Promise.all(visits.map((v) => v.context.close()));
    if (process_ && process_.exitCode === null) {
      const ended = new Promise((done) => process_?.once("exit", done));
      process_.kill("SIGTERM");
      await ended;
    }
    if (server.dir) rmSync(server.dir, { recursive: true, force: true });
  });

  server.visit = async ({ width = 1440, dark = false } = {}) => {
    const context = await server.browser.newContext({ viewport: { width, height: 1000 }, reducedMotion: "reduce", colorScheme: dark ? "dark" : "light", acceptDownloads: true });
    context.setDefaultTimeout(30_000);
    const complaints: string[] = [];
    const listen = (page: Page) => {
      page.on("pageerror", (e) => complaints.push(e.message));
      page.on("console", (m) => {
        // A refusal of the server is shown by the screen; the browser tells of it too.
        if (m.type() === "error" && !/the server responded with a status of 4/.test(m.text())) complaints.push(m.text());
      });
    };
    context.on("page", listen);
    const page = await context.newPage();
    const visit = { context, page, complaints };
    visits.push(visit);
    return visit;
  };
  return server;
}

/** The console's word for a tutorial's. */
const ours = (text: string) => Object.entries(words).find(([theirs]) => theirs.toLowerCase() === text.toLowerCase())?.[1] ?? text;

const quoted = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

const exactly = (text: string) => new RegExp(`^\\s*${quoted(ours(text))}\\s*$`, "i");

type Role = Parameters<Page["getByRole"]>[0];

/** What a tutorial names, to be clicked: a button, a link, a tab, a choice. */
export function named(where: Page | Locator, text: string, ...roles: Role[]): Locator {
  const kinds: Role[] = roles.length ? roles : ["button", "link", "tab", "radio", "checkbox", "menuitem", "option"];
  const name = exactly(text);
  const [first, ...rest] = kinds.map((role) => where.getByRole(role, { name }));
  return rest.reduce((all, one) => all.or(one), first as Locator).filter({ visible: true });
}

/** click does as a tutorial says: "Click **Create Policy**". */
export const click = async (where: Page | Locator, text: string, ...roles: Role[]) => await named(where, text, ...roles).first().click();

const box = async (of: Locator) => (await of.first().boundingBox()) ?? { x: NaN, y: NaN, width: 0, height: 0 };

/** Where tutorials say that things are: one above another, left of it, in the top right of the screen. */
export const above = async (one: Locator, other: Locator) => (await box(one)).y < (await box(other)).y;
export const leftOf = async (one: Locator, other: Locator) => (await box(one)).x < (await box(other)).x;
export async function topRight(page: Page, what: Locator): Promise<boolean> {
  const { x, y } = await box(what);
  const screen = page.viewportSize() ?? { width: 0, height: 0 };
  return x > screen.width / 2 && y < screen.height / 3;
}

/** fill enters a text in the field of that label. */
export async function fill(where: Page | Locator, label: string, text: string): Promise<void> {
  await where.getByLabel(label, { exact: true }).filter({ visible: true }).first().fill(text);
}

/** tick ticks or unticks a box, which Cloudscape draws itself and calls by its field too. */
export async function tick(where: Page | Locator, text: string, on = true): Promise<void> {
  await where.getByRole("checkbox", { name: new RegExp(quoted(ours(text)), "i") }).first().setChecked(on, { force: true });
}

/** paste replaces what an editor has, as one does: click, select all, insert. */
export async function paste(page: Page, editor: string, text: string): Promise<void> {
  const box = page.getByLabel(editor).locator("textarea").or(page.locator("textarea.ace_text-input")).first();
  await box.waitFor({ state: "attached" });
  await box.focus();
  await page.keyboard.press("Control+A");
  await page.keyboard.insertText(text);
}

export async function signInAsRoot(server: Server, page: Page): Promise<void> {
  await page.goto(server.url);
  await click(page, "Root user", "radio");
  await fill(page, "Root user email address", server.root.email);
  await fill(page, "Password", server.root.password);
  await click(page, "Sign in", "button");
  await page.getByRole("heading", { name: "Console Home" }).waitFor();
}

/** settled waits until a screen has what it asked for. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const waiting = [...document.querySelectorAll("span, div, p")].some((e) => e.childElementCount === 0 && /^Loading( code editor)?$/.test(e.textContent.trim()) && (e as HTMLElement).offsetParent !== null);
    return document.querySelector("h1") !== null && !waiting && !document.querySelector('[aria-label="Loading"]');
  });
}

/** The message at the top, or one in its place. */
export const says = async (page: Page, text: string | RegExp) => await page.getByText(text).filter({ visible: true }).first().waitFor();

export { expect };
