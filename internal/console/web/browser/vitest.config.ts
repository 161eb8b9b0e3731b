import { defineConfig } from "vitest/config";

// One process with one browser for all files, which start servers of their own.
export default defineConfig({
  test: { include: ["browser/**/*.test.ts"], environment: "node", fileParallelism: false, isolate: false, testTimeout: 120_000, hookTimeout: 120_000, bail: 1 },
});
