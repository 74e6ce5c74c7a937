#!/usr/bin/env bash
# Compares the API with that of the newest release, as clients would see it on the wire and in JSON.
set -euo pipefail
cd "$(dirname "$0")/.."

tag=$(git tag --list 'v*' --sort=-v:refname | head -n 1)
if [ -z "$tag" ]; then
  echo "no release yet: nothing to compare the API with"
  exit 0
fi
npm exec --silent -c "buf breaking --against '.git#tag=$tag'"
