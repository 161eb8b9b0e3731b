#!/usr/bin/env bash
# All that CI asks of a checkout. Steps run beside each other where one leaves
# processors idle: the one that takes longest is shown as it goes, of the others
# the whole output when it is over. The first failure ends all of them and is
# named; so does Ctrl-C. FUZZTIME is the time for each fuzz target (default 2s).
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
postgres=      # whether a server was started here
pids=() names=() # of the steps that run; a step's place in them is its number
running=0
mkfifo "$work/ended"
exec 3<>"$work/ended"
set -m # a step is a process group, which can be ended as a whole

at() { printf '(at %ss)' "$SECONDS"; }

# beside NAME COMMAND… starts a step whose output is kept; shown NAME COMMAND…
# one whose output is shown as it goes.
beside() { step kept "$@"; }
shown() {
	printf '\n== %s %s\n' "$1" "$(at)"
	step shown "$@"
}
step() {
	local kind=$1 name=$2 n=${#pids[@]}
	shift 2
	(
		set +m
		trap - INT TERM
		me=$n began=$SECONDS # local variables are gone in a trap
		trap 'rc=$?; echo $((SECONDS - began)) >"$work/$me.took"; echo "$me $rc" >"$work/ended"' EXIT
		exec 3>&- </dev/null
		[ "$kind" = shown ] || exec >"$work/$n" 2>&1
		"$@"
	) &
	pids+=($!)
	names+=("$name")
	running=$((running + 1))
}

# finish waits for all steps, or ends them when one fails.
finish() {
	local n rc over=()
	while [ $running -gt 0 ]; do
		read -r n rc <&3
		running=$((running - 1))
		pids[n]=
		if [ "$rc" -ne 0 ]; then
			halt
			print "$n"
			printf '\n== FAILED: %s %s\n' "${names[n]}" "$(at)"
			exit 1
		fi
		over+=("$n")
	done
	for n in "${over[@]}"; do print "$n"; done
	pids=() names=()
}

print() {
	[ -e "$work/$1" ] || return 0
	printf '\n== %s, beside it (%ss)\n' "${names[$1]}" "$(cat "$work/$1.took" 2>/dev/null)"
	cat "$work/$1"
	rm -f "$work/$1"
}

# halt ends the steps that run: as Ctrl-C would and, what is left, by force.
halt() {
	local p waited=0
	{
		for p in "${pids[@]}"; do [ -z "$p" ] || kill -INT -- "-$p" || true; done
		for p in "${pids[@]}"; do
			while [ -n "$p" ] && [ $waited -lt 50 ] && kill -0 -- "-$p"; do
				sleep 0.1
				waited=$((waited + 1))
			done
			[ -z "$p" ] || kill -KILL -- "-$p" || true
		done
		wait || true
	} 2>/dev/null # the shell would tell of each that it was ended
	pids=()
}

leave() {
	halt
	[ -z "$postgres" ] || scripts/test-postgres.sh stop
	rm -rf "$work"
}
trap leave EXIT
trap 'exit 130' INT TERM

# As released; with C code in some packages, all would be compiled twice.
export CGO_ENABLED=0
# One binary for all who drive it as a program.
export THINGD_BIN=$work/thingd THINGD_BINARY=$work/thingd THINGD_BUILT=1

go_checks() {
	scripts/check-generated.sh
	# The linter is make lint's: building it takes as long as all of the tests.
	go vet ./...
	test -z "$(gofmt -l tools/awsgen)" || { echo "gofmt: tools/awsgen is not formatted" >&2; return 1; }
	go -C tools vet ./awsgen
	go build ./... # what tests need too, while the network has its turn
}
build() {
	scripts/console.sh required
	go build -ldflags '-s -w' -o "$THINGD_BIN" ./cmd/thingd
}
go_test() { go test -vet=off -timeout 15m "$@"; }

beside 'generated code is up to date, vet' go_checks
shown 'what the tests need' scripts/test-deps.sh console
finish

if [ -z "${THINGD_TEST_POSTGRES:-}" ]; then
	# One that was there before stays there.
	scripts/test-postgres.sh url >/dev/null 2>&1 || postgres=here
	THINGD_TEST_POSTGRES=$(scripts/test-postgres.sh start 3>&-)
	export THINGD_TEST_POSTGRES
fi
shown 'the console and the binary' build
finish

# Tests wait as much as they compute. Those of the binary hold how late messages
# may be: beside them is only what makes way, and one package.
beside 'the console: types, unit tests, tutorials in a browser' scripts/test-console.sh seeds
# shellcheck disable=SC2046 # words on purpose
shown 'tests of packages, on SQLite and PostgreSQL' go_test -p 3 $(go list ./... | grep -v '/e2e$\|/cmd/thingd$\|/internal/app$')
finish
# Of the packages that build in seconds when instrumented; make fuzz does all.
# The seeds of every target have been run by the tests.
beside 'short fuzzing' nice -n 19 scripts/fuzz.sh "${FUZZTIME:-2s}" internal/mkv internal/mqtt
shown 'tests of the binary' go_test -p 2 ./e2e ./cmd/thingd ./internal/app
finish

printf '\n== passed %s\n' "$(at)"
