import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const out = "../dist";

/** Each file is kept compressed alone: that is how nearly everybody is sent it. */
function compressed(): Plugin {
  const each = (dir: string, f: (file: string) => void): void => {
    for (const name of readdirSync(dir)) {
      const path = join(dir, name);
      if (statSync(path).isDirectory()) each(path, f);
      else if (name !== ".gitignore") f(path);
    }
  };
  return {
    name: "compressed",
    apply: "build",
    buildStart: () => each(out, (file) => rmSync(file)),
    closeBundle: () =>
      each(out, (file) => {
        writeFileSync(file + ".gz", gzipSync(readFileSync(file), { level: 9 }));
        rmSync(file);
      }),
  };
}

export default defineConfig({
  plugins: [react(), compressed()],
  build: { outDir: out, emptyOutDir: false, target: "es2022", sourcemap: false, chunkSizeWarningLimit: 1200, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
} as Parameters<typeof defineConfig>[0]);
