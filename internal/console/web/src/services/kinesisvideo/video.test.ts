import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Fragment } from "./api";
import { describeTrack, read } from "./mkv";
import { bytes, duration, merged, recordings, ticks } from "./recordings";

const fragment = (number: number, producer: number, length = 2000): Fragment => ({ number: String(number), producer, server: producer + 300, length, size: 1000 });

test("fragments that follow each other are one recording", () => {
  const list = [fragment(1, 0), fragment(2, 2040), fragment(3, 4000, 500), fragment(4, 60_000), fragment(5, 61_000)];
  expect(recordings(list, "producer")).toEqual([
    { from: 0, to: 4500, fragments: 3, size: 3000, gap: undefined },
    { from: 60_000, to: 63_000, fragments: 2, size: 2000, gap: 55_500 },
  ]);
  expect(recordings([], "server")).toEqual([]);
});

test("what comes later is put where it belongs, once", () => {
  const list = [fragment(1, 0), fragment(2, 2000), fragment(4, 6000)];
  expect(merged(list, [fragment(2, 2000), fragment(3, 4000), fragment(4, 6000), fragment(5, 8000)], "producer").map((f) => f.number)).toEqual(["1", "2", "3", "4", "5"]);
  expect(merged(list, [], "producer")).toBe(list);
  expect(merged([], [fragment(2, 2), fragment(1, 1)], "server").map((f) => f.number)).toEqual(["1", "2"]);
});

test("axes are marked at whole times", () => {
  const from = Date.UTC(2026, 10, 22, 9, 58, 30);
  const list = ticks({ from, to: from + 600_000 }, 6);
  expect(list.map((t) => (t.at / 1000) % 120)).toEqual([0, 0, 0, 0, 0]);
  expect(list[0]?.label).toMatch(/^\d\d:\d\d$/);
  expect(ticks({ from, to: from }, 6).length).toBeLessThanOrEqual(1);
  for (const span of [1, 1e3, 1e6, 1e9, 1e12, 1e14]) expect(ticks({ from, to: from + span }, 6).length).toBeLessThanOrEqual(7);
});

test("how long and how much", () => {
  expect([0, 2040, 59_900, 60_000, 200_000, 14_700_000, 183_600_000].map(duration)).toEqual(["0 s", "2 s", "59.9 s", "1 min", "3 min 20 s", "4 h 5 min", "2 days 3 h"]);
  expect([0, 999, 1000, 1500, 20_000_000, 1.234e9, 5e14].map(bytes)).toEqual(["0 bytes", "999 bytes", "1 kB", "1.5 kB", "20 MB", "1.23 GB", "500 TB"]);
});

test("what a document says of itself", () => {
  const media = readFileSync(new URL("../../../../../video/testdata/kvssink-av-30s.mkv", import.meta.url));
  const d = read(media);
  expect(d.tracks.map(describeTrack)).toEqual([expect.stringMatching(/^H\.264, \d+ × \d+$/), expect.stringMatching(/^AAC/)]);
  expect(d.writer).toBeTruthy();
  // However it is cut or broken, it is read to its end.
  for (let i = 0; i < 2000; i++) read(media.subarray(0, i));
  for (let i = 0; i < 300; i++) {
    const broken = Uint8Array.from(media.subarray(0, 4000));
    broken[(i * 37) % broken.length] = (i * 101) % 256;
    read(broken);
  }
});
