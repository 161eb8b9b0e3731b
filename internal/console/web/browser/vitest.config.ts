import { defineConfig } from "vitest/config";

// One browser at a time: the tests share two processors with nobody's goodwill.
export default defineConfig({
  test: { include: ["browser/**/*.test.ts"], environment: "node", fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000, bail: 1 },
});
