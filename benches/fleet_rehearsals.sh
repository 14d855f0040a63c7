#!/usr/bin/env bash
# Whether a shared run is judged rightly and never sends its load twice if one machine is killed.
#
#   DATABASE_URL=… benches/fleet_rehearsals.sh [REHEARSALS] [AT_ONCE] [MOST_SHARDS]
#
# Each rehearsal has 3 to MOST_SHARDS (50) processes that meet in the database, which is migrated.
# One of them is killed at a random moment of the run, and half of the time its job is repeated at
# once. It counts as right if
# - the verdict is a pass exactly if every shard was stored, and inconclusive otherwise,
# - the lost shard, and no other, is named,
# - no arrival reached the target twice: each has a data row of its own,
# - the merge ends within 60 s after the planned end of the run.
# TOLLGATE names the program.
set -euo pipefail
export TOLLGATE=${TOLLGATE:-$PWD/target/release/tollgate} WORK
WORK=$(mktemp -d)
trap 'kill $(cat "$WORK"/target.pid 2>/dev/null) 2>/dev/null || true; rm -rf "$WORK"' EXIT
export TOLLGATE_REPORT=none MOST=${3:-50} SECONDS_LONG=6 LEAD=8
for name in $(compgen -v TOLLGATE_); do
  [ "$name" = TOLLGATE_REPORT ] || unset "$name"
done

source "$(dirname "$0")/../tests/support/rows.sh"
start_target

rehearse() {
  local name="rehearsal-$1-$$" folder="$WORK/$1" of victim delay began exit took lost stored released why=()
  RANDOM=$1
  of=$((3 + RANDOM % (MOST - 2)))
  victim=$((1 + RANDOM % of))
  mkdir "$folder"
  # 10 arrivals per second and shard.
  write_rows_scenario "$folder" "$1" $((of * 10 * SECONDS_LONG + of)) $((of * 10)) "$SECONDS_LONG" "$of" "$of"
  start() {
    "$TOLLGATE" run "$folder/scenario.toml" --rendezvous "$name" --shard "$1/$of" --lead "${LEAD}s" \
      --rendezvous-wait 25s --no-spin --runs-dir "$folder/$2" >"$folder/$2.out" 2>&1
  }
  local shard killed
  for shard in $(seq "$of"); do
    start "$shard" "s$shard" &
    [ "$shard" != "$victim" ] || killed=$!
  done
  "$TOLLGATE" merge --rendezvous "$name" --runs-dir "$folder/merged" >"$folder/merge.out" 2>&1 &
  local merge=$!
  delay=$((RANDOM % 20))
  sleep "$delay"
  # The shell of the background job has the program as its only child.
  pkill -KILL -P "$killed" 2>/dev/null || true
  if [ $((RANDOM % 2)) = 0 ]; then start "$victim" again || true; fi
  exit=0
  wait "$merge" || exit=$?
  began=$(sql "select extract(epoch from starts) from tollgate.rendezvous where name = '$name'")
  took=$(echo "$(date +%s) - ${began%.*} - $SECONDS_LONG" | bc)
  stored=$(sql "select count(*) from tollgate.rendezvous_shards s join tollgate.runs r on r.id = s.run where rendezvous = '$name'")
  wait
  lost=$(grep -o 'shard [0-9]* of [0-9]* is missing: ' "$folder/merge.out" | sort -u || true)
  if [ "$stored" = "$of" ]; then
    [ "$exit" = 0 ] && [ -z "$lost" ] || why+=("all stored, exit $exit, lost: $lost")
  else
    [ "$exit" = 3 ] && [ "$lost" = "shard $victim of $of is missing: " ] ||
      why+=("$stored of $of stored, exit $exit, victim $victim, lost: $lost")
  fi
  ! was_sent_twice "$1" || why+=("sent twice")
  released=$(sql "select coalesce(sum(c.released), 0) from tollgate.rendezvous_shards s
    join tollgate.scenarios c on c.run_id = s.run where rendezvous = '$name'")
  [ "$(arrivals "$1")" -ge "$released" ] && [ "$released" -gt 0 ] ||
    why+=("the target saw fewer arrivals than $released")
  [ "$took" -le 60 ] || why+=("merged $took s after the end")
  if [ ${#why[@]} = 0 ]; then
    echo "right: $of shards, $victim killed after $delay s, $stored stored, exit $exit, $took s after the end"
    rm -rf "$folder"
  else
    echo "WRONG: $of shards, $victim killed after $delay s: ${why[*]}"
    cp -r "$folder" "/tmp/fleet-rehearsal-$1"
  fi
}
export -f rehearse

seq "${1:-200}" | xargs -P "${2:-4}" -I N bash -c 'rehearse N' >"$WORK/results"
sort "$WORK/results" | uniq -c | sort -rn | head -300
echo "$(grep -c '^right' "$WORK/results" || true) of $(wc -l <"$WORK/results") right"
! grep -q '^WRONG' "$WORK/results"
