#!/bin/sh
# Runs every fuzz target for a time each: scripts/fuzz.sh 30s [PACKAGE...]
set -eu
cd "$(dirname "$0")/.."

time=${1:?usage: scripts/fuzz.sh TIME [PACKAGE...]}
shift
[ $# -gt 0 ] || set -- internal e2e cmd

# Not by `go test -list`, which would build every package's tests first.
targets=$(grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' "$@" | sed 's|^\(.*\)/[^/]*:func \(.*\)$|\1 \2|' | LC_ALL=C sort -u)
[ -n "$targets" ] || { echo "fuzz: no targets in $*" >&2; exit 1; }
echo "$targets" | while read -r dir name; do
	echo "fuzz: $dir $name"
	# What it says is of interest if it fails.
	if ! out=$(go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "./$dir" 2>&1); then
		# A run that ends while a worker is busy is not a finding.
		if echo "$out" | grep -q 'Failing input written to\|panic:\|build failed' || ! echo "$out" | grep -q 'context deadline exceeded'; then
			echo "$out" >&2
			exit 1
		fi
	fi
done
