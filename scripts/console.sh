#!/bin/sh
# Builds the console (internal/console/web) into internal/console/dist, from
# where the binary takes it. Without a Node.js that is new enough it says so and
# leaves the binary without the console, unless it is called with "required".
# "deps" installs the packages alone.
set -eu
cd "$(dirname "$0")/../internal/console/web"

new_enough() { node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; }

if ! new_enough || ! command -v npm >/dev/null 2>&1; then
	if [ "${1:-}" = required ] || [ "${1:-}" = deps ]; then
		echo "console: Node.js 20.19 or newer and npm are needed" >&2
		exit 1
	fi
	cat >&2 <<'EOF'
==============================================================================
 WARNING: building without the console: Node.js 20.19 or newer and npm are
 needed for it, and are not here. The binary will have no web console.
==============================================================================
EOF
	find ../dist -type f ! -name .gitignore -delete
	exit 0
fi

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
	npm ci --ignore-scripts --loglevel=error
	touch node_modules/.package-lock.json
fi
[ "${1:-}" = deps ] && exit 0
node_modules/.bin/vite build --logLevel warn
