#!/usr/bin/env bash
# Checks everything that must hold before a change lands: formatting, line width, lints, all tests
# and documentation.
# Needs a Rust toolchain and a C compiler. The tests start their own servers on free loopback ports
# and end them.
# Installs six more programs if they are missing and it may (as root on Debian):
# - Chromium or Chrome, to open reports in. TOLLGATE_TESTS_WITHOUT_BROWSER=1 skips these tests;
#   TOLLGATE_BROWSER names another browser.
# - PostgreSQL and PgBouncer, which the tests start and end. TOLLGATE_TESTS_WITHOUT_DATABASE=1 skips
#   these tests; TOLLGATE_TESTS_PG_BIN names the folder of other server programs.
# - Node.js, 18 or later, to compare synthetic-check with its `fetch`. TOLLGATE_TESTS_WITHOUT_NODE=1
#   skips this test. With npm, it also reads logs with pino-pretty and checks pages with axe-core.
# - Python 3 with venv, to read the outputs with the parsers of other projects, and to lint the
#   workflows and run the action (see tests/workflows.sh). TOLLGATE_TESTS_WITHOUT_WORKFLOWS=1 skips
#   the workflows; the parsers are skipped where Python cannot install them.
# - Slurm, to run a printed job on it (see tests/engines). TOLLGATE_TESTS_WITHOUT_ENGINES=1 skips it,
#   and the printed workflow that act runs.
# TOLLGATE_TESTS_FLY_OPENAPI names a copy of Fly's OpenAPI description of its Machines API
# (https://docs.machines.dev), to compare the calls of `tollgate tune` and their answers with.
set -euo pipefail
cd "$(dirname "$0")"

# The caller's settings for runs must not change what is tested.
for name in $(compgen -v TOLLGATE_ || true); do
  case $name in TOLLGATE_TESTS_* | TOLLGATE_BROWSER) ;; *) unset "$name" ;; esac
done
for name in DATABASE_URL $(compgen -v PG || true) $(compgen -v SYNTHETIC_CHECK_ || true); do unset "$name"; done

step() { printf '\n== %s\n' "$*"; }
fail() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }

command -v cargo >/dev/null || fail "no cargo on the PATH; install a Rust toolchain from https://rustup.rs"
command -v cc >/dev/null || fail "no C compiler on the PATH; on Debian: apt-get install gcc libc6-dev"
for component in rustfmt clippy; do
  cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 ||
    rustup component add "$component" ||
    fail "the toolchain lacks $component, and rustup could not add it"
done

# The same names and paths as in tests/browser.
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
  fail "TOLLGATE_BROWSER names $TOLLGATE_BROWSER, which is not a program on this machine"
fi

# The same folders as in tests/support/cluster.
has_postgres() {
  local folder
  [ -z "${TOLLGATE_TESTS_PG_BIN:-}" ] || { [ -x "$TOLLGATE_TESTS_PG_BIN/postgres" ]; return; }
  for folder in "$(pg_config --bindir 2>/dev/null)" /usr/lib/postgresql/*/bin \
    {/opt/homebrew,/usr/local}/opt/postgresql*/bin; do
    [ -x "$folder/postgres" ] && return 0
  done
  command -v postgres >/dev/null
}
has_pgbouncer() {
  local place
  for place in pgbouncer {/usr/sbin,/opt/homebrew/opt/pgbouncer/bin,/usr/local/opt/pgbouncer/bin}/pgbouncer; do
    command -v "$place" >/dev/null && return 0
  done
  return 1
}
if [ -n "${TOLLGATE_TESTS_PG_BIN:-}" ] && ! has_postgres; then
  fail "TOLLGATE_TESTS_PG_BIN names $TOLLGATE_TESTS_PG_BIN, which has no postgres"
fi

node_major() { node --version 2>/dev/null | sed -n 's/^v\([0-9]*\).*/\1/p'; }
if [ -z "${TOLLGATE_TESTS_WITHOUT_NODE:-}" ] && command -v node >/dev/null; then
  major=$(node_major)
  [ "${major:-0}" -ge 18 ] ||
    fail "node $(node --version) has no fetch; install 18 or later, or set TOLLGATE_TESTS_WITHOUT_NODE=1"
fi

missing=() remedies=()
if [ -z "${TOLLGATE_TESTS_WITHOUT_BROWSER:-}" ] && ! browser; then
  missing+=(chromium)
  remedies+=("TOLLGATE_TESTS_WITHOUT_BROWSER=1 to skip opening reports")
fi
if [ -z "${TOLLGATE_TESTS_WITHOUT_DATABASE:-}" ]; then
  before=${#missing[@]}
  has_postgres || missing+=(postgresql)
  has_pgbouncer || missing+=(pgbouncer)
  [ ${#missing[@]} = "$before" ] || remedies+=("TOLLGATE_TESTS_WITHOUT_DATABASE=1 to skip the database tests")
fi
if [ -z "${TOLLGATE_TESTS_WITHOUT_NODE:-}" ] && ! command -v node >/dev/null; then
  missing+=(nodejs)
  remedies+=("TOLLGATE_TESTS_WITHOUT_NODE=1 to skip comparing synthetic-check with Node.js")
fi

# Installing Debian's server package creates a cluster and starts it, and PgBouncer too. The tests
# need only the programs, so this script stops the packages from starting anything, now or at boot.
# It removes the files that tell the packages so.
as_debian_root='
  set -eu
  clusters=/etc/postgresql-common/createcluster.d policy=/usr/sbin/policy-rc.d
  trap "exit 1" HUP INT TERM
  made="$clusters/tollgate-tests.conf"
  trap "rm -f \$made; rmdir $clusters 2>/dev/null || true" EXIT
  mkdir -p $clusters
  echo "create_main_cluster = false" >$made
  if [ ! -e $policy ]; then
    made="$made $policy"
    printf "#!/bin/sh\nexit 101\n" >$policy
    chmod 755 $policy
  fi
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
  for service in pgbouncer munge slurmctld slurmd; do
    case " $* " in *" $service "*) update-rc.d "$service" disable ;; esac
  done'

# Debian's python3 can lack what venv needs.
if [ -z "${TOLLGATE_TESTS_WITHOUT_WORKFLOWS:-}" ] && ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
  missing+=(python3-venv)
  remedies+=("TOLLGATE_TESTS_WITHOUT_WORKFLOWS=1 to skip checking the workflows and the action")
fi

# Slurm runs only where Linux lets root make namespaces.
if [ -z "${TOLLGATE_TESTS_WITHOUT_ENGINES:-}" ] && [ "$(uname):$(id -u)" = Linux:0 ] &&
  command -v apt-get >/dev/null; then
  before=${#missing[@]}
  for package in slurmctld:slurmctld slurmd:slurmd slurm-client:sbatch munge:munged iproute2:ip; do
    command -v "${package#*:}" >/dev/null || missing+=("${package%:*}")
  done
  [ ${#missing[@]} = "$before" ] || remedies+=("TOLLGATE_TESTS_WITHOUT_ENGINES=1 to skip running printed jobs")
fi

if [ ${#missing[@]} != 0 ]; then
  printf -v or ', or set %s' "${remedies[@]}"
  [ "$(uname)" != Darwin ] ||
    fail "not found: ${missing[*]}; install them with Homebrew (--cask google-chrome, postgresql@17, pgbouncer, node)$or"
  command -v apt-get >/dev/null || fail "not found: ${missing[*]}, and there is no apt-get; install them by hand$or"
  as_root=""
  [ "$(id -u)" = 0 ] || { sudo -n true 2>/dev/null && as_root="sudo -n"; } ||
    fail "not found: ${missing[*]}, and only root may install them: sudo apt-get install ${missing[*]}$or"
fi

install_missing() {
  [ ${#missing[@]} != 0 ] || return 0
  echo "installing ${missing[*]}"
  $as_root sh -c "$as_debian_root" install "${missing[@]}" </dev/null ||
    fail "apt-get could not install ${missing[*]}; install them by hand$or"
  if [[ " ${missing[*]} " = *" nodejs "* ]]; then
    major=$(node_major)
    [ "${major:-0}" -ge 18 ] || fail "the nodejs that apt-get installed is older than 18; install another by hand$or"
  fi
}

# What is built from nothing, once, gains nothing from being built in a way that later builds reuse:
# that costs a sixth of the time.
[ -e "${CARGO_TARGET_DIR:-target}" ] || export CARGO_INCREMENTAL=0

# A test pipes the JSON lines on stderr through the program that people read them with. Without it,
# only their shape is tested.
install_pino() {
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "node and npm not found: skipping the test with the real pino-pretty"
  elif [ -x target/pino/node_modules/.bin/pino-pretty ]; then
    echo "pino-pretty: found in target/pino"
  elif npm install --silent --no-audit --no-fund --prefix target/pino pino-pretty@13; then
    echo "pino-pretty: installed in target/pino"
  else
    echo "npm could not install pino-pretty (is its registry reachable?): skipping the test with the real one"
  fi
}

# A test checks the pages of a site by its rules of accessibility.
install_axe() {
  axe=4.14.1
  if [ -n "${TOLLGATE_TESTS_AXE:-}" ]; then
    [ -f "$TOLLGATE_TESTS_AXE" ] || fail "TOLLGATE_TESTS_AXE names $TOLLGATE_TESTS_AXE, which is not a file"
  elif ! command -v npm >/dev/null; then
    echo "npm not found: skipping the rules of accessibility"
  elif grep -qs "\"version\": \"$axe\"" target/axe/node_modules/axe-core/package.json; then
    echo "axe-core: found in target/axe"
  elif npm install --silent --no-audit --no-fund --ignore-scripts --prefix target/axe "axe-core@$axe"; then
    echo "axe-core: installed in target/axe"
  else
    echo "npm could not install axe-core (is its registry reachable?): skipping the rules of accessibility"
  fi
}

# A test reads the outputs for CI and monitoring with them.
install_parsers() {
  parsers="prometheus_client==0.26.0 opentelemetry-proto==1.45.2 xmlschema==4.3.2 kubernetes-validate==1.37.0 check-jsonschema==0.39.0"
  if ! command -v python3 >/dev/null; then
    echo "python3 not found: skipping the tests with parsers of other projects"
  elif [ "$(cat target/parsers/installed 2>/dev/null)" = "$parsers" ]; then
    echo "parsers: found in target/parsers"
  elif rm -rf target/parsers && python3 -m venv target/parsers &&
    target/parsers/bin/pip install --quiet --disable-pip-version-check $parsers; then
    echo "$parsers" >target/parsers/installed
    echo "parsers: installed in target/parsers"
  else
    rm -rf target/parsers
    echo "pip could not install the parsers of other projects (is PyPI reachable?): skipping the tests that need them"
  fi
}

# What mostly waits runs in parallel with what computes: `aside` starts a step, and `join` waits for it, prints
# what it said, and fails if it failed. A step has a process group of its own, which this script ends.
logs=$(mktemp -d)
aside() {
  local name=$1
  shift
  set -m
  "$@" >"$logs/$name" 2>&1 </dev/null &
  set +m
  echo $! >"$logs/$name.pid"
}
join() {
  local failed=''
  step "$1"
  wait "$(cat "$logs/$1.pid")" || failed=yes
  cat "$logs/$1"
  [ -z "$failed" ] || fail "the step above failed: $1"
  rm "$logs/$1.pid"
}
end_asides() {
  local file pid
  for file in "$logs"/*.pid; do
    [ -e "$file" ] || continue
    pid=$(cat "$file")
    # Packages are installed to their end: nothing else repairs half of one.
    [ "$file" = "$logs/programs.pid" ] || kill -TERM -- "-$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$logs"
}
trap end_asides EXIT
trap 'exit 1' HUP INT TERM

programs() { install_missing && install_pino && install_axe && install_parsers; }
aside programs programs

# A snapshot that differs fails here. It never becomes a file to look at later.
export INSTA_UPDATE=no

step "formatting"
cargo fmt --check

step "line width"
# rustfmt wraps code but not comments, and nothing wraps markdown. Code fences, tables and lines that
# are a single link or word cannot be wrapped.
git ls-files --cached --others --exclude-standard -- '*.md' '*.rs' ':!reports/sample' |
  while IFS= read -r file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
  LC_ALL=C xargs -0 awk -v most=100 '
    # Characters, not bytes: continuation bytes of UTF-8 do not count.
    function width(text) { gsub(/[\200-\277]/, "", text); return length(text) }
    FNR == 1 { markdown = FILENAME ~ /\.md$/; fence = 0 }
    markdown && /^[ \t]*```/ { fence = !fence; next }
    markdown && (fence || /^[ \t]*\|/) { next }
    markdown && /^[ \t]*([-*] )?!?\[[^\]]*\]\([^)]*\)[.,]?$/ { next }
    # Comments on lines of their own and behind code, but not the tables in doc comments.
    !markdown && !/^[ \t]*\/\// && !/[;,(){}] \/\/ / { next }
    !markdown && /^[ \t]*\/\/[\/!] *\|/ { next }
    length($0) <= most { next }
    {
      text = $0
      sub(/^[ \t]*(\/\/[\/!]?|[-*>]|[0-9]+\.)?[ \t]*/, "", text)
      if (text !~ /[ \t]/ || width($0) <= most) next
      printf "%s:%d: %d columns, %d at most\n", FILENAME, FNR, width($0), most
      long = 1
    }
    END { exit long }' ||
  fail "wrap these lines at 100 columns"

step "lints"
cargo clippy --locked --all-targets -- -D warnings

step "build"
cargo test --locked --no-run --lib --bins --tests

join programs

step "tests"
[ -z "${TOLLGATE_TESTS_WITHOUT_BROWSER:-}" ] || echo "skipped as requested: opening reports in a browser"
[ -z "${TOLLGATE_TESTS_WITHOUT_DATABASE:-}" ] || echo "skipped as requested: everything that needs PostgreSQL or PgBouncer"
[ -z "${TOLLGATE_TESTS_WITHOUT_NODE:-}" ] || echo "skipped as requested: comparing synthetic-check with Node.js"
[ -n "${TOLLGATE_TESTS_FLY_OPENAPI:-}" ] || echo "skipped: TOLLGATE_TESTS_FLY_OPENAPI names no copy of Fly's description of its API"
# Most tests wait for real time rather than for a processor, so three run on each.
processors=$(getconf _NPROCESSORS_ONLN)
export RUST_TEST_THREADS=$((3 * processors)) NEXTEST_TEST_THREADS=$((3 * processors))
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --locked --no-fail-fast
else
  cargo test --locked --no-fail-fast --lib --bins --tests
fi

program=${CARGO_TARGET_DIR:-target}/debug/tollgate
# The tests above have just built it. `cargo build` would build it again, with the features that only
# the program needs.
workflows() {
  if [ -n "${TOLLGATE_TESTS_WITHOUT_WORKFLOWS:-}" ]; then
    echo "skipped as requested: linting the workflows and running the action"
  else
    tests/workflows.sh "$program"
  fi
}
engine() {
  if [ -n "${TOLLGATE_TESTS_WITHOUT_ENGINES:-}" ]; then
    echo "skipped as requested: running printed jobs"
  else
    "tests/engines/$1.sh" "$program"
  fi
}
# Linting the workflows installs act.
workflows_and_act() { workflows && engine act; }
aside slurm engine slurm
aside workflows workflows_and_act

step "documentation"
# With an example, dependencies have the features that the lints checked them with, and are not
# checked again.
RUSTDOCFLAGS="-D warnings" nice cargo doc --locked --no-deps --lib --example history_year
nice cargo test --locked --doc

join slurm
join workflows
