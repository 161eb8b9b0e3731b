#!/bin/sh
# Tests the console: its types, its unit tests, and in Chromium every screen, on a
# binary that is built with it. "seeds" does of the browser tests those of the
# tutorials (seeds 002 to 004) alone, at once, for make test. Other
# arguments choose browser tests: scripts/test-console.sh seed004. CHROMIUM names
# a browser that is elsewhere; THINGD_BIN where the binary is kept, and
# THINGD_BUILT=1 says that it is there, with the console.
set -eu
cd "$(dirname "$0")/.."
case ${1:-} in
seeds)
	shift
	set -- --file-parallelism --max-workers=2 seed002 seed003 seed004 "$@"
	;;
esac
scripts/test-deps.sh console
scripts/console.sh deps
web=internal/console/web
built=${THINGD_BIN:+${THINGD_BUILT:-}}
if [ -z "${THINGD_BIN:-}" ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	THINGD_BIN=$dir/thingd
fi
export THINGD_BIN

# Types and unit tests while the binary is being built.
(cd $web && node_modules/.bin/tsc --noEmit && node_modules/.bin/vitest run) &
checks=$!
if [ -z "$built" ]; then
	scripts/console.sh required
	CGO_ENABLED=0 go build -o "$THINGD_BIN" ./cmd/thingd
fi
wait $checks
cd $web
node_modules/.bin/vitest run --config browser/vitest.config.ts "$@"
