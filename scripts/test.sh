#!/bin/sh
# All that CI asks of a checkout, step by step; stops at the first failure.
# FUZZTIME is the time for each fuzz target (default 2s).
set -eu
cd "$(dirname "$0")/.."

began=$(date +%s)
step() { printf '\n== %s (at %ss)\n' "$*" "$(($(date +%s) - began))"; }

step what the tests need
scripts/test-deps.sh

step generated files are up to date
scripts/check-generated.sh

# The linter is make lint's: building it takes as long as all of the tests.
step vet
go vet ./...
test -z "$(gofmt -l tools/awsgen)" || { echo "gofmt: tools/awsgen is not formatted" >&2; exit 1; }
go -C tools vet ./awsgen

step tests, on SQLite and PostgreSQL
if [ -z "${THINGD_TEST_POSTGRES:-}" ]; then
	running=$(scripts/test-postgres.sh url 2>/dev/null || true)
	THINGD_TEST_POSTGRES=$(scripts/test-postgres.sh start)
	export THINGD_TEST_POSTGRES
	# One that was there before stays there.
	[ -n "$running" ] || trap 'scripts/test-postgres.sh stop' EXIT
	trap 'exit 130' INT TERM
fi
go test -timeout 11m ./...

# Of the packages that build in seconds when instrumented; make fuzz does all.
# The seeds of every target have been run by the tests.
step the tutorials in a browser
scripts/test-console.sh seeds

step short fuzzing
scripts/fuzz.sh "${FUZZTIME:-2s}" internal/mkv internal/mqtt

step passed
