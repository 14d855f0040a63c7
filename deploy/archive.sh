#!/usr/bin/env bash
# Writes the archive of a release: tollgate-vVERSION-TARGET.tar.gz with one folder of that name.
# Usage: deploy/archive.sh TOLLGATE VERSION TARGET FOLDER
# deploy/action/install.sh, docs/ci.md and the binstall section of Cargo.toml rely on these names.
set -euo pipefail
program=$1 version=$2 target=$3 folder=$4
source_folder=$(cd "$(dirname "$0")/.." && pwd)
name=tollgate-v$version-$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/$name"
cp "$program" "$work/$name/tollgate"
(cd "$source_folder" && cp README.md CHANGELOG.md LICENSE-APACHE LICENSE-MIT "$work/$name")
tar -czf "$folder/$name.tar.gz" -C "$work" "$name"
