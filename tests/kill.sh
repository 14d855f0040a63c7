#!/usr/bin/env bash
# Whether a run that is killed keeps every second that it had settled, once.
#
#   tests/kill.sh [TOLLGATE] [KILLS] [AT_ONCE]
#
# Each run is killed by SIGKILL at a random moment of its start, warm-up, measured stage or end. With
# DATABASE_URL, which names a migrated database, half of them store their run. It counts as right if
# - `tollgate show` completes the run, or says that it had kept nothing,
# - the completed record holds the exchanges of the intervals that were written, and no others,
# - the intervals hold all arrivals that the target saw up to three seconds before the kill,
# - no arrival was sent twice,
# - after `tollgate sync`, done twice, the database holds the run once, with the same exchanges.
# It is no part of test.sh: 200 kills take some ten minutes.
set -euo pipefail
export TOLLGATE=${1:-$PWD/target/release/tollgate} WORK
WORK=$(mktemp -d)
trap 'kill "$(cat "$WORK/target.pid" 2>/dev/null)" 2>/dev/null || true; rm -rf "$WORK"' EXIT
for name in $(compgen -v TOLLGATE_ || true); do unset "$name"; done

source "$(dirname "$0")/support/rows.sh"
start_target

# The sum of a field of the measured intervals of a run folder.
exchanges() {
  grep '"stage":"measured"' "$1/intervals.jsonl" 2>/dev/null |
    sed 's/.*"exchanges":\([0-9]*\).*/\1/' | awk '{ sum += $1 } END { print sum + 0 }'
}

kill_once() {
  local number=$1 folder="$WORK/$1" run prober delay code=0 why=() before kept seen stored id store=()
  RANDOM=$number
  mkdir "$folder"
  write_rows_scenario "$folder" "$number" 400 40 6 4 8
  if [ -n "${DATABASE_URL:-}" ] && [ $((RANDOM % 2)) = 0 ]; then store=("$DATABASE_URL"); fi
  DATABASE_URL="${store[0]:-}" "$TOLLGATE" run "$folder/scenario.toml" \
    --runs-dir "$folder/runs" --no-spin >"$folder/out" 2>&1 &
  prober=$!
  delay=$(printf '%d.%03d' $((RANDOM % 8)) $((RANDOM % 1000)))
  sleep "$delay"
  before=$(arrivals "$number")
  kill -KILL "$prober" 2>/dev/null || true
  wait "$prober" 2>/dev/null || true

  run=$(find "$folder/runs" -mindepth 1 -maxdepth 1 -type d ! -name '.*' 2>/dev/null | head -1)
  if [ -z "$run" ]; then
    # It had not begun.
    [ "$before" -le 8 ] || why+=("$before arrivals and no folder")
  else
    kept=$(exchanges "$run")
    "$TOLLGATE" show "$run" >"$folder/show" 2>&1 || code=$?
    if [ -e "$run/run.json" ]; then
      [ "$code" = 0 ] || [ "$code" = 1 ] || [ "$code" = 3 ] || why+=("show ends with $code")
      seen=$("$TOLLGATE" show "$run" --output json 2>/dev/null | python3 -c '
import json, sys
run = json.load(sys.stdin)
print(sum(request["measured"]["tally"]["exchanges"] for scenario in run["measurement"]["scenarios"] for request in scenario["requests"]))')
      [ "$seen" = "$kept" ] || why+=("the record holds $seen exchanges, its intervals $kept")
    elif [ "$kept" != 0 ]; then
      why+=("$kept exchanges were kept, and show does not complete the run: $code")
    fi
    # Three seconds: the one in progress, the one before it, and what is answered late.
    [ $((kept + 8 + 3 * 40)) -ge "$before" ] || why+=("only $kept of $before arrivals are kept")
    if [ ${#store[@]} != 0 ] && [ -e "$run/run.json" ]; then
      for _ in 1 2; do
        DATABASE_URL="${store[0]}" "$TOLLGATE" sync --runs-dir "$folder/runs" >"$folder/sync" 2>&1 ||
          why+=("sync ends with $?")
      done
      id=$(sed -n 's/^  "id": "\(.*\)",$/\1/p' "$run/run.json")
      seen=$(sql "select count(*) from tollgate.runs where id = '$id'")
      [ "$seen" = 1 ] || why+=("the database holds the run $seen times")
      stored=$(sql "select coalesce(sum(exchanges), 0) from tollgate.totals where run_id = '$id' and stage = 'measured'")
      [ "$stored" = "$kept" ] || why+=("the database holds $stored exchanges, the intervals $kept")
    fi
  fi
  ! was_sent_twice "$number" || why+=("sent twice")
  if [ ${#why[@]} = 0 ]; then
    echo "right: killed after $delay s"
    rm -rf "$folder"
  else
    echo "WRONG: $number killed after $delay s: ${why[*]}"
    cp -r "$folder" "/tmp/kill-$number"
  fi
}
export -f kill_once exchanges

seq "${2:-200}" | xargs -P "${3:-4}" -I N bash -c 'kill_once N' >"$WORK/results"
grep '^WRONG' "$WORK/results" || true
echo "$(grep -c '^right' "$WORK/results" || true) of $(wc -l <"$WORK/results") kills right"
! grep -q '^WRONG' "$WORK/results"
