#!/usr/bin/env bash
# Everything that must hold before a change lands: formatting, lints, all tests, documentation.
# Needs a Rust toolchain and a C compiler; the tests start their own servers on free loopback ports and end them.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; }
fail() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }

command -v cargo >/dev/null || fail "no cargo on the PATH; install a Rust toolchain from https://rustup.rs"
command -v cc >/dev/null || fail "no C compiler on the PATH; on Debian: apt-get install gcc libc6-dev"
for component in rustfmt clippy; do
  cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 ||
    rustup component add "$component" ||
    fail "the toolchain lacks $component, and rustup could not add it"
done

# A snapshot that differs is a failure here, never a file to be looked at later.
export INSTA_UPDATE=no

step "formatting"
cargo fmt --check

step "lints"
cargo clippy --locked --all-targets -- -D warnings

step "pino-pretty"
# The JSON lines on stderr are tried with the program that people read them with; without it their shape alone is tested.
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "no node and npm here: the test with the real pino-pretty will be left out"
elif [ -x target/pino/node_modules/.bin/pino-pretty ]; then
  echo "found in target/pino"
elif npm install --silent --no-audit --no-fund --prefix target/pino pino-pretty@13; then
  echo "installed in target/pino"
else
  echo "npm could not install it (no way to its registry?): the test with the real pino-pretty will be left out"
fi

step "tests"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --locked --no-fail-fast
else
  cargo test --locked --no-fail-fast --lib --bins --tests
fi

step "documentation"
cargo test --locked --doc
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
