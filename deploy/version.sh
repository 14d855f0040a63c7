#!/usr/bin/env bash
# Prints the version of this source, which Cargo.toml has.
set -euo pipefail
sed -n 's/^version = "\(.*\)"$/\1/p' "$(dirname "${BASH_SOURCE[0]}")/../Cargo.toml" | head -n 1
