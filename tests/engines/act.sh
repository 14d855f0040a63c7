#!/usr/bin/env bash
# Runs what `tollgate fleet print github` prints with act, a runner of GitHub's workflows, against
# the rehearsal target: shards and gate, their verdict, and a second start, which must send nothing.
# Usage: tests/engines/act.sh [TOLLGATE]; the program is target/debug/tollgate if none is named.
# Needs root, iproute2, and act in target/workflows, which tests/workflows.sh installs. Everything
# runs in namespaces of its own, with its files in memory.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
source "$here/support.sh"
root=$(realpath "$here/../..")

[ "${1:-}" = inside ] || run_in_sandbox "${1:-}" "$root/target/workflows/bin/act" git
tollgate=$2
enter_sandbox

# The repository of a user, the action, and a release that holds the tested program.
make_repository() {
  mkdir -p repository/.github/workflows action artifacts tmp
  cp shop.toml repository
  cp -R "$root/action.yml" "$root/Cargo.toml" "$root/deploy" action
  printf '#!/bin/sh\nexec "%s" "$@"\n' "$tollgate" >program
  chmod +x program
  mv program tollgate
  "$root/tests/workflows/release.sh" "$work/tollgate" "$work/release"
  cp "$root/tests/workflows/curl" bin/curl
  git -C repository init --quiet --initial-branch main
}

print_workflow() {
  local name=$1
  shift
  (cd repository && "$tollgate" fleet print github shop.toml --shards 2 --name "$name" "$@") \
    >"repository/.github/workflows/$name.yml"
  git -C repository add --all
  git -C repository -c user.name=test -c user.email=test@example.org commit --quiet --message "$name"
}

# Runs a workflow, with its log in NAME.log.
act() {
  local name=$1 version
  shift
  version=$("$root/deploy/version.sh")
  env TMPDIR="$work/tmp" XDG_CONFIG_HOME="$work/config" XDG_CACHE_HOME="$work/cache" \
    "$root/target/workflows/bin/act" workflow_dispatch --directory "$work/repository" \
    --workflows "$work/repository/.github/workflows/$name.yml" --platform ubuntu-latest=-self-hosted \
    --no-cache-server --pull=false --concurrent-jobs 4 --env "RELEASES=$work/release" \
    --env "ARTIFACTS=$work/artifacts" --secret "DATABASE_URL=${DATABASE_URL:-}" \
    --local-repository "OWNER/tollgate@v$version=$work/action" \
    --local-repository "$(action_of upload-artifact)=$here/upload" \
    --local-repository "$(action_of download-artifact)=$here/download" \
    "$@" >"$name.log" 2>&1 </dev/null
}

# The name and commit of an action that a printed workflow uses.
action_of() { sed -n "s/.*uses: \(actions\/$1@[0-9a-f]*\).*/\1/p" repository/.github/workflows/fixed.yml | head -n 1; }

# Runs a workflow and checks its exit code, the verdict, and that both shards succeed.
run_workflow() {
  local name=$1 expected=$2 verdict=$3 code=0
  act "$name" || code=$?
  [ "$code" = "$expected" ] && grep -q "gate *\] .*$verdict" "$name.log" ||
    fail_with "$name.log" "$name exits with $code instead of $expected, or does not say $verdict"
  [ "$(grep -c 'shard [01].*Job succeeded' "$name.log")" = 2 ] ||
    fail_with "$name.log" "the shards of $name do not succeed"
  [ "$(grep -c '"shard": ' artifacts/verdict/run.json)" = 2 ] ||
    fail_with "$name.log" "$name keeps no run that was merged from two shards"
  rm -r artifacts/verdict
}

start_target
write_scenario
make_repository
print_workflow fixed --without-store --start-in 6s
run_workflow fixed 0 ' PASS '
echo "act: two shards without a store pass as one, and their jobs succeed"

start_postgres || { echo "act: no PostgreSQL: skipped the shards that meet in a database"; exit 0; }
print_workflow stored -- --budget 'p90 < 1us' --lead 5s
run_workflow stored 1 ' FAIL '
before=$(count_requests)
# A retry: act gives each run the same id.
act stored || true
after=$(count_requests)
[ "$before" = "$after" ] || fail_with stored.log "a retry sends $((after - before)) requests"
[ "$(grep -c 'so no request was sent' stored.log)" -ge 2 ] || fail_with stored.log "a retry does not say that it sends nothing"
[ "$(grep -c 'shard [01].*Job succeeded' stored.log)" = 2 ] || fail_with stored.log "a retry of a shard fails"
echo "act: two shards that meet in PostgreSQL fail as one, and send nothing when they start again"
