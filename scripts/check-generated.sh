#!/bin/sh
# Makes all generated files anew and fails if one of them changes. What it
# made is left there, to be looked at and committed.
set -eu
cd "$(dirname "$0")/.."

sums() {
	find . -path ./.git -prune -o \( -name '*_gen.go' -o -name '*_gen_test.go' -o -path ./docs/COVERAGE.md \) -type f -print |
		LC_ALL=C sort | xargs sha256sum
}

before=$(mktemp)
after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
sums >"$before"
make -s generate
sums >"$after"
if ! changed=$(diff "$before" "$after"); then
	echo "check-generated: not up to date; run 'make generate' and commit:" >&2
	echo "$changed" | awk '/^[<>]/ { print "  " $3 }' | sort -u >&2
	exit 1
fi
