#!/bin/sh
# Kills the server a hundred times (KILL_ROUNDS) in the middle of its work, has
# MQTT clients do their worst by the thousand beside good ones (HOSTILE, GOOD),
# the registry's writers race a thousand times (RACE_ROUNDS), and then runs the
# tests under the race detector, in changing order, until the time is over:
# scripts/soak.sh 1h. Fails at the first failure.
set -eu
cd "$(dirname "$0")/.."

seconds() {
	case $1 in
	*h) echo $((${1%h} * 3600)) ;;
	*m) echo $((${1%m} * 60)) ;;
	*s) echo "${1%s}" ;;
	*) echo "soak: $1 is not a time such as 90s, 30m or 8h" >&2; exit 2 ;;
	esac
}

end=$(($(date +%s) + $(seconds "${1:?usage: scripts/soak.sh TIME}")))
if [ -z "${THINGD_TEST_POSTGRES:-}" ]; then
	running=$(scripts/test-postgres.sh url 2>/dev/null || true)
	THINGD_TEST_POSTGRES=$(scripts/test-postgres.sh start)
	export THINGD_TEST_POSTGRES
	[ -n "$running" ] || trap 'scripts/test-postgres.sh stop' EXIT
	trap 'exit 130' INT TERM
fi
go test -count 1 -timeout 60m ./e2e -run TestKill -v -kill-rounds "${KILL_ROUNDS:-100}"
go test -count 1 -timeout 60m ./e2e -run 'TestGoodBesideHostileMQTT|TestConnectsLeaveNothing' -v \
	-mqtt-hostile "${HOSTILE:-10000}" -mqtt-good "${GOOD:-1000}" -connects 10000
go test -count 1 -timeout 60m ./internal/registry -run 'NotRaced' -race-rounds "${RACE_ROUNDS:-1000}"
round=0
while [ "$(date +%s)" -lt "$end" ]; do
	round=$((round + 1))
	echo "soak: round $round, $((end - $(date +%s))) s left"
	go test -race -count 1 -shuffle on -timeout 60m ./...
done
