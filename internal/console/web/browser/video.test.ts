// A video stream by `thingd video put`, in the console: its time line with a gap,
// its fragments and their producer, a download that is the same video.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { read } from "../src/services/kinesisvideo/mkv";
import { binary, click, fill, named, says, settled, signInAsRoot, useServer } from "./console";

const media = resolve(import.meta.dirname, "../../../video/testdata/kvssink-av-30s.mkv");

/** The same video with the times of its clusters counted from its start. */
function relative(b: Buffer): Buffer {
  let first: bigint | undefined;
  for (let at = b.indexOf("1f43b675", 0, "hex"); at >= 0; at = b.indexOf("1f43b675", at + 4, "hex")) {
    const time = at + 4 + Math.clz32(b[at + 4] ?? 1) - 23; // behind the cluster's size
    const size = (b[time + 1] ?? 0) & 0x7f;
    if (b[time] !== 0xe7 || size > 8) continue;
    const is = BigInt(`0x${b.toString("hex", time + 2, time + 2 + size)}`);
    first ??= is;
    b.write((is - first).toString(16).padStart(2 * size, "0"), time + 2, "hex");
  }
  if (first === undefined) throw new Error("the video has no clusters");
  return b;
}

/** How many Matroska documents a file is: one for each fragment. */
function documents(b: Buffer): number {
  let n = 0;
  for (let at = b.indexOf("1a45dfa3", 0, "hex"); at >= 0; at = b.indexOf("1a45dfa3", at + 4, "hex")) n++;
  return n;
}

const found = async (page: Page, text: string | RegExp) => await page.getByRole("status", { name: "Fragments found" }).getByText(text).waitFor();

describe("video streams", () => {
  const server = useServer();
  const put = (stream: string, start: string) => {
    const file = join(server.dir, "video.mkv");
    writeFileSync(file, relative(readFileSync(media)));
    execFileSync(binary, ["video", "put", file, "--stream", stream, "--timecodes", "relative", "--start", start, "--quiet", "--data", join(server.dir, "data")], { stdio: "pipe" });
  };

  test("made, filled, looked at, downloaded, deleted", async () => {
    const { page, complaints } = await server.visit();
    await signInAsRoot(server, page);
    await page.goto(server.url + "/#/kinesisvideo/streams");
    await says(page, "There are no video streams in this region.");
    await click(page, "Create video stream", "link");
    await click(page, "Create video stream", "button");
    await says(page, "Enter a name.");
    await fill(page, "Video stream name", "porch");
    await page.getByRole("radio", { name: /^Custom configuration/ }).check({ force: true });
    await fill(page, "Data retention, in hours", "48");
    await fill(page, "Device name - optional", "camera-7");
    await click(page, "Create video stream", "button");
    await says(page, "Stream porch created.");
    await says(page, "2 days");
    await says(page, "There is no video in this time range.");

    // What comes is there without a reload: half a minute, and another one ten minutes later.
    put("porch", "40m");
    await found(page, /^15 fragments, .*, 1 recording$/);
    put("porch", "30m");
    await found(page, /^30 fragments, .*, 2 recordings$/);
    await page.getByRole("img", { name: /^2 recordings with 1 gap from / }).waitFor();
    const table = page.getByRole("table", { name: "Recordings" });
    await table.getByText(/^\d+ min( \d+ s)?$/).first().waitFor();
    expect(await table.getByRole("row").count()).toBe(3);

    // A fragment, and what its producer says of itself.
    await page.getByRole("table", { name: "Fragments" }).getByRole("radio").first().check({ force: true });
    await page.getByRole("heading", { name: "Fragment details" }).waitFor();
    await says(page, /^H\.264, \d+ × \d+/);
    await says(page, /^AAC/);

    // The second recording alone, as a file.
    await table.getByRole("button", { name: /^Show the recording/ }).last().click();
    await found(page, /^15 fragments, .*, 1 recording$/);
    const saving = page.waitForEvent("download");
    await click(page, "Download as MKV");
    const file = await saving;
    expect(file.suggestedFilename()).toMatch(/^porch_\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.mkv$/);
    const saved = readFileSync(await file.path());
    expect(documents(saved)).toBe(15);
    expect(read(saved).tracks.map((t) => t.codec)).toEqual(expect.arrayContaining(["V_MPEG4/ISO/AVC", "A_AAC"]));

    // Drawing over the time line shows a part; all of it is found again.
    const line = await page.getByRole("img", { name: /^1 recording with 0 gaps/ }).boundingBox();
    if (!line) throw new Error("there is no time line");
    await page.mouse.move(line.x + line.width * 0.25, line.y + 20);
    await page.mouse.down();
    await page.mouse.move(line.x + line.width * 0.75, line.y + 20, { steps: 4 });
    await page.mouse.up();
    await found(page, /^[78] fragments/);
    await click(page, "Find video", "button");
    await found(page, /^30 fragments/);

    // By the server's clock all came just now.
    await page.getByRole("button", { name: /^Timestamps/ }).click();
    await page.getByRole("option", { name: /^Server timestamp/ }).click();
    await found(page, /^30 fragments/);

    // Retention and tags.
    await click(page, "Edit data retention");
    await fill(page.getByRole("dialog"), "Data retention, in hours", "72");
    await click(page.getByRole("dialog"), "Save changes");
    await says(page, "3 days");
    await click(page, "Tags", "tab");
    await click(page, "Manage tags");
    await click(page.getByRole("dialog"), "Add new tag");
    await fill(page, "Key of tag 1", "site");
    await fill(page, "Value of tag 1", "Wien");
    await click(page.getByRole("dialog"), "Save changes");
    await page.getByRole("table", { name: "Tags" }).getByText("Wien").waitFor();
    await click(page, "Media playback", "tab");
    await says(page, "thingd video get - --stream porch --follow | ffplay -");

    await page.goto(server.url + "/#/kinesisvideo/streams");
    await named(page, "porch", "link").waitFor();
    await page.getByRole("radio", { name: /^Select porch/ }).check({ force: true });
    await click(page, "Delete", "button");
    await fill(page.getByRole("dialog"), "To confirm, enter porch", "porch");
    await click(page.getByRole("dialog"), "Delete");
    await says(page, "Stream porch deleted.");
    await says(page, "There are no video streams in this region.");
    await settled(page);
    expect(complaints).toEqual([]);
  });
});
