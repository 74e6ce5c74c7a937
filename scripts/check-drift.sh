#!/usr/bin/env bash
# Fails when gen/ is not what proto/ generates, or when a lockfile names a host.
set -euo pipefail
cd "$(dirname "$0")/.."

if grep -q '"resolved"' package-lock.json; then
  echo "package-lock.json names hosts: delete it and run 'npm install --package-lock-only'" >&2
  exit 1
fi
npm exec --silent -c 'buf generate'
if [ -n "$(git status --porcelain gen)" ]; then
  git status --short gen >&2
  echo "gen/ differs from what proto/ generates: run 'make generate' and commit it" >&2
  exit 1
fi
