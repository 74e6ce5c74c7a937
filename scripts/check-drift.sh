#!/usr/bin/env bash
# Fails when generated files are not what their sources generate, or when a lockfile names a host.
set -euo pipefail
cd "$(dirname "$0")/.."

if grep -q '"resolved"' package-lock.json; then
  echo "package-lock.json names hosts: delete it and run 'npm install --package-lock-only'" >&2
  exit 1
fi
generated="gen docs/configuration.md .env.example config/memory_config.yaml"
npm exec --silent -c 'buf generate && node scripts/generate-configuration.ts'
# shellcheck disable=SC2086 # several paths
if [ -n "$(git status --porcelain $generated)" ]; then
  git status --short $generated >&2
  echo "generated files differ from proto/ or src/config/: run 'make generate' and commit them" >&2
  exit 1
fi
