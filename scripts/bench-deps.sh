#!/bin/sh
# Installs what `make bench ARGS='-mqtt all'` compares with: Debian's mosquitto.
# Its service is neither started nor enabled: the bench starts its own.
set -eu

if command -v mosquitto >/dev/null 2>&1 || [ -x /usr/sbin/mosquitto ]; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "bench-deps: mosquitto is missing: install it with your system's package manager" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
if [ -d /run/systemd/system ]; then
	systemctl mask --runtime mosquitto.service
	trap 'systemctl unmask --runtime mosquitto.service' EXIT
fi
apt-get install -y -qq --no-install-recommends mosquitto
