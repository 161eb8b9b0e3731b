import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { zip } from "./zip";

test("an archive is read by others", async () => {
  const dir = mkdtempSync(join(tmpdir(), "zip-"));
  try {
    const bytes = new Uint8Array(70_000).map((_, i) => i * 7);
    const files = [
      { name: "a/empty.txt", content: new Uint8Array() },
      { name: "a/grün.bin", content: bytes },
    ];
    writeFileSync(join(dir, "x.zip"), new Uint8Array(await zip(files).arrayBuffer()));
    const script = "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nprint([(i.filename,i.file_size) for i in z.infolist()])\nsys.exit(z.read('a/grün.bin')!=bytes(i*7%256 for i in range(70000)))";
    const said = execFileSync("python3", ["-c", script, join(dir, "x.zip")], { encoding: "utf8" });
    expect(said.trim()).toBe("[('a/empty.txt', 0), ('a/grün.bin', 70000)]");
  } finally {
    rmSync(dir, { recursive: true });
  }
});
