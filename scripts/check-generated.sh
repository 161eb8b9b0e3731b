#!/bin/sh
# Makes all generated code anew and fails if some of it changes. What it made is
# left there, to be looked at and committed. (Whether docs/COVERAGE.md is up to
# date a test of internal/app says.)
set -eu
cd "$(dirname "$0")/.."

sums() {
	find . \( -path ./.git -o -name node_modules \) -prune -o \( -name '*_gen.go' -o -name '*_gen_test.go' \) -type f -print |
		LC_ALL=C sort | xargs sha256sum
}

before=$(mktemp)
after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
sums >"$before"
go -C tools run ./awsgen
sums >"$after"
if ! changed=$(diff "$before" "$after"); then
	echo "check-generated: not up to date; run 'make generate' and commit:" >&2
	echo "$changed" | awk '/^[<>]/ { print "  " $3 }' | sort -u >&2
	exit 1
fi
