import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { click, expect, says, type Server } from "./console";

/** The files of a device, as they were downloaded. */
export interface Files {
  certificate: string; // path
  privateKey: string;
  root: string;
}

/** save clicks a download and puts the file under a name in the test's folder. It returns what the console called it. */
export async function save(page: Page, link: Locator, as: string): Promise<string> {
  const saving = page.waitForEvent("download");
  await link.click();
  const file = await saving;
  await file.saveAs(as);
  return file.suggestedFilename();
}

/** row is the download of a line: "Click the **Download** link next to **A private key**". */
export const row = (page: Page, what: string) => page.getByRole("row", { name: new RegExp("^" + what) }).getByRole("button", { name: /^Download/ });

/** A client of mosquitto's: how it ends, and what it says. */
async function run(command: string, args: string[]): Promise<{ code: number; said: string }> {
  const client = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [client.stdout, client.stderr]) stream.on("data", (b: Buffer) => (said += b.toString()));
  const [code] = (await once(client, "close")) as [number];
  return { code, said };
}

export function mqttPort(server: Server): string {
  const { mqtt } = JSON.parse(readFileSync(join(server.dir, "data", "endpoints.json"), "utf8")) as { mqtt: string };
  return mqtt.slice(mqtt.lastIndexOf(":") + 1);
}

/** connection is how mosquitto's clients are told of the device's files and the endpoint. */
const connection = (server: Server, f: Files, host: string, id: string) => ["--cafile", f.root, "--cert", f.certificate, "--key", f.privateKey, "-h", host, "-p", mqttPort(server), "-V", "mqttv5", "-i", id, "-q", "1"];

/** talk has two clients with the device's keys: what one publishes the other is sent. */
export async function talk(server: Server, f: Files, host: string, topic: string, [first, second] = ["listener", "speaker"]): Promise<void> {
  let heard: { code: number; said: string } | undefined;
  const listener = run("mosquitto_sub", [...connection(server, f, host, first), "-t", topic, "-C", "1", "-W", "60"]).then((h) => (heard = h));
  do {
    // Its subscription may still be on its way.
    const pub = await run("mosquitto_pub", [...connection(server, f, host, second), "-t", topic, "-m", "hello from the device"]);
    expect(pub).toEqual({ code: 0, said: "" });
  } while (!heard);
  await listener;
  expect(heard).toEqual({ code: 0, said: "hello from the device\n" });
}

/** refused tries to connect, and is not let in. */
export async function refused(server: Server, f: Files, host: string): Promise<void> {
  const pub = await run("mosquitto_pub", [...connection(server, f, host, "refused"), "-t", "a", "-m", "b"]);
  expect(pub.code).not.toBe(0);
}

/** endpointOf reads the endpoint in Settings, as tutorials say. */
export async function endpointOf(page: Page): Promise<string> {
  await click(page.getByRole("navigation"), "Settings", "link");
  await says(page, "Device data endpoint (iot:Data-ATS)");
  const button = page.getByRole("button", { name: "Copy Endpoint" }).first();
  await button.waitFor();
  return (await button.locator("xpath=ancestor::*[contains(@class, 'words')][1]").innerText()).trim();
}
