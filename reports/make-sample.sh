#!/usr/bin/env bash
# Makes reports/sample again: a demo against a target that freezes for one second in three (about 45
# seconds), and a partner's site of a generated year. The demo runs in an empty folder and under the
# host name `example`, so that the sample reveals nothing about this machine.
# Needs Linux (unshare), cargo and a built tollgate; the first argument is the program,
# target/release/tollgate otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/release/tollgate}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$program" "$work/tollgate"

# Root may set a host name in a namespace of its own; everyone else needs a user namespace as well.
own=(unshare --uts)
[ "$(id -u)" = 0 ] || own=(unshare --uts --map-root-user)
status=0
(cd "$work" && env -u TOLLGATE_GIT_COMMIT PATH="$work:$PATH" "${own[@]}" sh -c '
  hostname example
  exec tollgate demo --runs-dir runs -- --stall 1s --every 3s') || status=$?
# 1 is the verdict that this target deserves. 3 is possible, depending on the delays drawn.
case $status in 0 | 1 | 3) ;; *) exit "$status" ;; esac

rm -rf reports/sample
mkdir reports/sample
cp "$work"/runs/*/{report.html,report.md,run.json,*.svg,*.png} reports/sample/
cargo run --quiet --example history_year -- "$work/year"
"$program" report --from folders --since 2025-11-29 --until 2026-11-30 --timezone Europe/Berlin --audience partner --format html --format md \
  --out "$work/site" --runs-dir "$work/year"
mkdir reports/sample/history
cp -r "$work"/site/{index.html,summary.html,summary.md,scenarios} reports/sample/history/
du -sh reports/sample
