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
npm exec --silent -c 'node -e "
  const [major] = process.versions.node.split(\".\");
  if (Number(major) < 24) {
    console.error(`Recollect runs on Node 24 or newer; this is ${process.version}. No package of Node fits this machine: install Node 24.`);
    process.exitCode = 1;
  }
"'
