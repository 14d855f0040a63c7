#!/usr/bin/env bash
# Writes SHA256SUMS for the archives in a folder, in the format of sha256sum.
# Usage: deploy/sums.sh FOLDER
set -euo pipefail
cd "$1"
if command -v sha256sum >/dev/null; then sha256sum -- *.tar.gz >SHA256SUMS; else shasum -a 256 -- *.tar.gz >SHA256SUMS; fi
