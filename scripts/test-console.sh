#!/bin/sh
# Tests the console: its types, its unit tests, and in Chromium what the tutorials
# do, on a binary that is built with it. Arguments choose browser tests
# (scripts/test-console.sh seed003). CHROMIUM names a browser that is elsewhere.
set -eu
cd "$(dirname "$0")/.."
scripts/test-deps.sh console
scripts/console.sh required
THINGD_BIN=${THINGD_BIN:-$(mktemp -d)/thingd}
export THINGD_BIN
trap 'rm -f "$THINGD_BIN"' EXIT
CGO_ENABLED=0 go build -o "$THINGD_BIN" ./cmd/thingd
cd internal/console/web
npx --no-install tsc --noEmit
npx --no-install vitest run
npx --no-install vitest run --config browser/vitest.config.ts "$@"
