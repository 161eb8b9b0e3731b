#!/bin/sh
# Starts and stops a throw-away PostgreSQL server for the store tests.
#
#   scripts/test-postgres.sh start    start one (or find it running), print its URL
#   scripts/test-postgres.sh stop     stop it and remove its files
#   scripts/test-postgres.sh url      print its URL; exit 1 if it is not running
#
# THINGD_TEST_POSTGRES_DIR  where it lives (default: thingd-test-postgres-UID in the temporary directory)
#
# It syncs nothing to disk, listens on a random port of the loopback and on a
# socket in its directory, and trusts everyone on this machine: tests only.
# Without server binaries they are installed with apt-get when run as root.
set -eu

uid=$(id -u)
dir=${THINGD_TEST_POSTGRES_DIR:-${TMPDIR:-/tmp}/thingd-test-postgres-$uid}

say() { echo "test-postgres: $*" >&2; }
die() { say "$*"; exit 1; }

# find_bin prints the directory of the newest server binaries.
find_bin() {
	for d in $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin 2>/dev/null | sort -rV); do
		if [ -x "$d/initdb" ] && [ -x "$d/postgres" ]; then echo "$d"; return; fi
	done
	if command -v pg_config >/dev/null 2>&1 && [ -x "$(pg_config --bindir)/postgres" ]; then pg_config --bindir; fi
}

# as runs a command as the server's user: PostgreSQL refuses to run as root.
as() {
	if [ "$uid" -eq 0 ]; then
		(cd / && setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups env HOME="$dir" "$@")
	else
		"$@"
	fi
}

running() { [ -s "$dir/url" ] && [ -s "$dir/data/postmaster.pid" ] && kill -0 "$(head -n 1 "$dir/data/postmaster.pid")" 2>/dev/null; }

start() {
	if running; then cat "$dir/url"; return; fi
	bin=$(find_bin)
	if [ -z "$bin" ]; then
		if [ "$uid" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
			die "no PostgreSQL server found: install it (Debian: apt-get install postgresql)"
		fi
		say "installing PostgreSQL"
		export DEBIAN_FRONTEND=noninteractive
		{ apt-get update -q && apt-get install -y -q --no-install-recommends postgresql; } >&2 ||
			die "apt-get could not install postgresql"
		bin=$(find_bin)
		[ -n "$bin" ] || die "the package postgresql has no server binaries"
	fi
	# Whoever else may write to the temporary directory must not choose our files.
	if [ -e "$dir" ] || [ -L "$dir" ]; then
		[ ! -L "$dir" ] && [ -O "$dir" ] || [ "$uid" -eq 0 ] && [ ! -L "$dir" ] || die "$dir belongs to somebody else"
		rm -rf "$dir"
	fi
	mkdir -m 0700 "$dir"
	user=postgres
	if [ "$uid" -eq 0 ]; then
		id "$user" >/dev/null 2>&1 || user=nobody
		chown "$user" "$dir"
	fi
	as "$bin/initdb" -D "$dir/data" -U thingd -A trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1 ||
		{ cat "$dir/initdb.log" >&2; die "initdb failed"; }
	cat >>"$dir/data/postgresql.conf" <<-CONF
		listen_addresses = '127.0.0.1'
		unix_socket_directories = '$dir'
		max_connections = 300
		fsync = off
		full_page_writes = off
		synchronous_commit = off
		wal_level = minimal
		max_wal_senders = 0
		max_wal_size = 4GB
		autovacuum = off
		max_pred_locks_per_transaction = 256
	CONF
	for try in 1 2 3 4 5 6 7 8 9 10; do
		port=$(awk -v try="$try" -v pid="$$" 'BEGIN { srand(); print 20000 + (int(rand() * 40000) + pid + try * 977) % 12000 }')
		if as "$bin/pg_ctl" -D "$dir/data" -w -t 60 -s -l "$dir/server.log" -o "-p $port" start >&2; then
			echo "postgres://thingd@127.0.0.1:$port/postgres?sslmode=disable" >"$dir/url"
			cat "$dir/url"
			return
		fi
	done
	cat "$dir/server.log" >&2
	die "the server does not start"
}

stop() {
	if [ ! -d "$dir" ]; then return; fi
	if running; then
		bin=$(find_bin)
		user=$(stat -c %U "$dir/data" 2>/dev/null || stat -f %Su "$dir/data")
		as "$bin/pg_ctl" -D "$dir/data" -m immediate -s -w stop >&2
	fi
	rm -rf "$dir"
}

case "${1:-}" in
start) start ;;
stop) stop ;;
url) if running; then cat "$dir/url"; else die "not running"; fi ;;
*) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
