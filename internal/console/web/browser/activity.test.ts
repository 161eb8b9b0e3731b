// The page of a thing while things happen to it; and a connection that comes back by itself.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CreateThingCommand, IoTClient } from "@aws-sdk/client-iot";
import { DeleteConnectionCommand, IoTDataPlaneClient, PublishCommand, UpdateThingShadowCommand } from "@aws-sdk/client-iot-data-plane";
import mqtt from "mqtt";
import { describe, expect, test } from "vitest";
import { signed } from "../src/live/sign";
import { click, fill, named, signInAsRoot, useServer } from "./console";

describe("live", () => {
  const server = useServer();
  const keys = () => JSON.parse(readFileSync(join(server.dir, "data", "root-credentials"), "utf8")) as { accessKeyId: string; secretAccessKey: string };
  const config = () => ({ endpoint: server.url, region: "us-east-1", credentials: keys() });

  test("a thing's connection, messages and shadow changes, as they happen", async () => {
    const data = new IoTDataPlaneClient(config());
    await new IoTClient(config()).send(new CreateThingCommand({ thingName: "lamp" }));
    const { page, complaints } = await server.visit();
    await signInAsRoot(server, page);
    await page.goto(server.url + "/#/iot/things/details/lamp?tab=activity");
    await page.getByText("Never connected", { exact: true }).waitFor();
    const log = page.getByRole("log", { name: "Activity" });
    await page.getByText("Live", { exact: true }).waitFor();

    const device = await mqtt.connectAsync(await signed(server.url, "us-east-1", keys()), { protocolVersion: 5, clientId: "lamp", reconnectPeriod: 0 });
    await log.getByText(/Client lamp connected from 127\.0\.0\.1/).waitFor();
    await device.subscribeAsync("lamp/do");
    await log.getByText("Client lamp subscribed to lamp/do").waitFor();
    await device.publishAsync("house/lamp/state", '{"lux":12}');
    await log.getByText("house/lamp/state").waitFor();
    await log.getByText('"lux": 12').waitFor();

    const shadow = (on: boolean) => data.send(new UpdateThingShadowCommand({ thingName: "lamp", payload: Buffer.from(JSON.stringify({ state: { reported: { on } } })) }));
    await shadow(false);
    await log.getByText("Classic Shadow updated to version 1").waitFor();
    await shadow(true);
    await log.getByText("reported.on: false → true").waitFor();

    // Other topics too.
    await fill(page, "Topic filter", "cellar/#");
    await click(page, "Add topic filter");
    await named(page, "Do not listen to cellar/#").waitFor();
    await expect
      .poll(async () => {
        await data.send(new PublishCommand({ topic: "cellar/door", payload: Buffer.from("open") }));
        return await log.getByText("cellar/door").count();
      })
      .toBeGreaterThan(0);

    await device.endAsync();
    await log.getByText(/Client lamp disconnected: CLIENT_INITIATED_DISCONNECT/).waitFor();
    await page.getByText("CLIENT_INITIATED_DISCONNECT", { exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  test("a connection that is cut comes back, with its subscriptions", async () => {
    const data = new IoTDataPlaneClient(config());
    const { page, complaints } = await server.visit();
    await signInAsRoot(server, page);
    await page.goto(server.url + "/#/iot/test?subscribe=alarm/%23");
    await page.getByRole("heading", { name: "alarm/# (0)" }).waitFor();
    await page.getByRole("button", { name: "Connection details" }).click();
    const id = (await page.getByText(/^iotconsole-/).first().textContent()) ?? "";
    await data.send(new DeleteConnectionCommand({ clientId: id }));
    await named(page, "Disconnect", "button").waitFor();
    await expect
      .poll(async () => {
        await data.send(new PublishCommand({ topic: "alarm/smoke", payload: Buffer.from("!"), qos: 1 }));
        return await page.getByRole("log", { name: "Messages on alarm/#" }).getByRole("listitem").count();
      })
      .toBeGreaterThan(0);
    expect(complaints).toEqual([]);
  });
});
