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

/** The actions that policies can name, from the table of operations: services, and the names of each. */
function actions(): Plugin {
  const id = "virtual:actions";
  // Actions without an operation of their own.
  const more = ["iam:PassRole", "iot:AssumeRoleWithCertificate", "iot:Connect", "iot:Receive", "iot:RetainPublish", "iot:Subscribe"];
  return {
    name: "actions",
    resolveId: (name) => (name === id ? id : undefined),
    load(name) {
      if (name !== id) return undefined;
      const table = readFileSync(new URL("../../../docs/COVERAGE.md", import.meta.url), "utf8");
      const services = new Map<string, Set<string>>();
      for (const action of [...table.matchAll(/^\|[^|]*\|[^|]*\| `([a-z-]+:[A-Za-z0-9]+)` \|/gm)].map((m) => m[1]!).concat(more)) {
        const [service, operation] = action.split(":") as [string, string];
        services.set(service, (services.get(service) ?? new Set()).add(operation));
      }
      if (services.size < 4) this.error("docs/COVERAGE.md has no table of operations");
      return `export default ${JSON.stringify(Object.fromEntries([...services].map(([s, names]) => [s, [...names].sort()])))}`;
    },
  };
}

export default defineConfig({
  plugins: [react(), actions(), compressed()],
  build: { outDir: out, emptyOutDir: false, target: "es2022", sourcemap: false, chunkSizeWarningLimit: 1200, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  test: { include: ["src/**/*.test.ts"], environment: "node", testTimeout: 30_000 },
} as Parameters<typeof defineConfig>[0]);
