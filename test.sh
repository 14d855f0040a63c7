#!/usr/bin/env bash
# Everything that must hold before a change lands: formatting, lints, all tests, documentation.
# Needs a Rust toolchain and a C compiler; the tests start their own servers on free loopback ports and end them.
# Reports are opened in Chromium or Chrome, which is installed where it is missing and may be (root on Debian);
# TOLLGATE_TESTS_WITHOUT_BROWSER=1 goes without, TOLLGATE_BROWSER names another one.
set -euo pipefail
cd "$(dirname "$0")"

# What the caller's environment sets for runs must not change what is tested.
for name in $(compgen -v TOLLGATE_ || true); do
  case $name in TOLLGATE_TESTS_* | TOLLGATE_BROWSER) ;; *) unset "$name" ;; esac
done

step() { printf '\n== %s\n' "$*"; }
fail() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }

command -v cargo >/dev/null || fail "no cargo on the PATH; install a Rust toolchain from https://rustup.rs"
command -v cc >/dev/null || fail "no C compiler on the PATH; on Debian: apt-get install gcc libc6-dev"
for component in rustfmt clippy; do
  cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 ||
    rustup component add "$component" ||
    fail "the toolchain lacks $component, and rustup could not add it"
done

# The names and places that tests/browser looks for.
browser() {
  local candidate
  for candidate in "${TOLLGATE_BROWSER:-}" chromium chromium-browser google-chrome google-chrome-stable \
    chrome-headless-shell microsoft-edge \
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" \
    "/Applications/Chromium.app/Contents/MacOS/Chromium" \
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge"; do
    [ -n "$candidate" ] && command -v "$candidate" >/dev/null && return 0
  done
  return 1
}
if [ -n "${TOLLGATE_BROWSER:-}" ] && ! command -v "$TOLLGATE_BROWSER" >/dev/null; then
  fail "TOLLGATE_BROWSER names $TOLLGATE_BROWSER, which is no program here"
fi
if [ -z "${TOLLGATE_TESTS_WITHOUT_BROWSER:-}" ] && ! browser; then
  without="or set TOLLGATE_TESTS_WITHOUT_BROWSER=1 to leave the reports unopened"
  [ "$(uname)" != Darwin ] || fail "no browser to open reports in; install Google Chrome or Chromium, $without"
  command -v apt-get >/dev/null || fail "no browser to open reports in, and no apt-get; install Chromium, $without"
  as_root=""
  [ "$(id -u)" = 0 ] || { sudo -n true 2>/dev/null && as_root="sudo"; } ||
    fail "no browser to open reports in, and only root may install one: sudo apt-get install chromium, $without"
  step "installing chromium"
  { $as_root apt-get update &&
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } ||
    fail "apt-get could not install chromium; install it by hand, $without"
fi

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
