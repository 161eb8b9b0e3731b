#!/bin/sh
# Sees to what `make test` needs besides Go: installs it with apt-get when run
# as root, else says what is missing and how to get it. Without anything
# missing it touches nothing.
set -eu
cd "$(dirname "$0")/.."

# command, Python module or Java archive, and the Debian or Ubuntu package that has it
needs='aws awscli
jq jq
curl curl
openssl openssl
git git
python3 python3
ffprobe ffmpeg
javac default-jdk-headless
node nodejs
npm npm
mosquitto_sub mosquitto-clients
python:paho.mqtt python3-paho-mqtt
jar:mqtt-client libmqtt-client-java
postgres postgresql'

# The console's tests want a browser too: scripts/test-deps.sh console. Without
# windows it is smaller and quicker; not every release packages it so.
console=
if [ "${1:-}" = console ]; then
	console=1
	needs="$needs
browser chromium-headless-shell"
fi

have() {
	case $1 in
	postgres) # Debian keeps the server's programs out of PATH.
		for p in "$(command -v postgres || true)" /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres /opt/homebrew/opt/postgresql*/bin/postgres; do
			if [ -x "$p" ]; then return 0; fi
		done
		return 1
		;;
	python:*) /usr/bin/python3 -c "import ${1#python:}" 2>/dev/null ;;
	browser)
		for p in "${CHROMIUM:-}" chromium-headless-shell chromium chromium-browser google-chrome; do
			if [ -n "$p" ] && command -v "$p" >/dev/null 2>&1; then return 0; fi
		done
		return 1
		;;
	jar:*) [ -e "/usr/share/java/${1#jar:}.jar" ] ;;
	*) command -v "$1" >/dev/null 2>&1 ;;
	esac
}

packages=
missing=
while read -r cmd package; do
	if ! have "$cmd"; then
		packages="$packages $package"
		missing="$missing $cmd"
	fi
done <<EOF
$needs
EOF

# The clients of e2e, and the console's packages: as soon as there is an npm.
clients() {
	(
		cd e2e/clients
		if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
			npm ci --ignore-scripts --loglevel=error
			touch node_modules/.package-lock.json
		fi
	)
	if [ -n "$console" ]; then scripts/console.sh deps; fi
}

[ -n "$missing" ] || { clients; exit 0; }

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
	echo "test-deps: installing$packages" >&2
	early=
	case " $missing " in
	*" node "* | *" npm "*) ;;
	*)
		clients &
		early=$!
		;;
	esac
	export DEBIAN_FRONTEND=noninteractive
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT
	install() { apt-get install -y -q --no-install-recommends "$@" >>"$log" 2>&1; }
	fail() { cat "$log" >&2; echo "test-deps: could not install$packages" >&2; exit 1; }
	apt-get update -q >>"$log" 2>&1 || fail
	case " $packages " in
	*" awscli "*)
		# Some releases do not package it (Ubuntu 24.04).
		if ! apt-cache show awscli >/dev/null 2>&1; then
			packages=$(echo "$packages" | sed 's/ awscli//')
			install python3-venv || fail
			{ python3 -m venv /opt/awscli && /opt/awscli/bin/pip install -q awscli; } >>"$log" 2>&1 || fail
			ln -sf /opt/awscli/bin/aws /usr/local/bin/aws
		fi
		;;
	esac
	case " $packages " in
	*" chromium-headless-shell "*)
		apt-cache show chromium-headless-shell >/dev/null 2>&1 || packages=$(echo "$packages" | sed 's/chromium-headless-shell/chromium/')
		;;
	esac
	# shellcheck disable=SC2086 # words on purpose
	[ -z "$packages" ] || install $packages || fail
	if [ -n "$early" ]; then wait "$early"; else clients; fi
	exit 0
fi

echo "test-deps: these programs are missing:$missing" >&2
if command -v apt-get >/dev/null 2>&1; then
	echo "test-deps: install them with: sudo apt-get install$packages" >&2
elif command -v brew >/dev/null 2>&1; then
	echo "test-deps: install them with: brew install$packages" >&2
else
	echo "test-deps: their packages in Debian are:$packages" >&2
fi
exit 1
