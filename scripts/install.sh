#!/usr/bin/env bash
# Installs what the lockfile names. Some older Node and npm are enough: the Node 24 that everything runs on is
# one of the packages.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v npm >/dev/null; then
  echo "npm is missing: install Node.js 20 or newer" >&2
  exit 1
fi
# npm warns that the Node it runs on is older than `engines` asks; the one it installs is not.
npm ci --ignore-scripts --no-audit --loglevel=error
npm exec --silent -c 'node scripts/check-node.js'
