#!/usr/bin/env bash
# Makes a release of a program in a folder, as .github/workflows/release.yml does, for each machine
# that has a released program.
# Usage: tests/workflows/release.sh TOLLGATE FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
tollgate=$1
version=$(deploy/version.sh)
release=$2/v$version
mkdir -p "$release"
for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl aarch64-apple-darwin x86_64-apple-darwin; do
  deploy/archive.sh "$tollgate" "$version" "$target" "$release"
done
deploy/sums.sh "$release"
