#!/usr/bin/env bash
# How often `tollgate duet` calls two equal rehearsal targets different on this machine.
#
#   benches/duets.sh [PAIRS] [AT_ONCE] [further flags of duet]
#
# Each pair has targets and seeds of its own. TOLLGATE names the program. With SLOWER=20, the second
# target takes about 20 ms longer, so that the result says how often that is found.
set -euo pipefail
pairs=${1:-40} at_once=${2:-4}
shift $(($# < 2 ? $# : 2))
export TOLLGATE=${TOLLGATE:-target/release/tollgate} FLAGS="$*"
export OLD=lognormal:40ms,0.35 NEW=lognormal:$((40 + ${SLOWER:-0}))ms,0.35
export WORK
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

one_pair() {
    local folder=$WORK/$1 urls=() servers=() seed=$((2 * $1))
    mkdir "$folder"
    for latency in "$OLD" "$NEW"; do
        seed=$((seed + 1))
        "$TOLLGATE" target --seed $seed --mock-latency "$latency" >"$folder/$seed" 2>/dev/null &
        servers+=($!)
        until [[ -s $folder/$seed ]]; do sleep 0.1; done
        urls+=("$(sed 's/listening on //' "$folder/$seed")/app?mock=1")
    done
    # shellcheck disable=SC2086 # the flags are several words
    "$TOLLGATE" duet --a "${urls[0]}" --b "${urls[1]}" --quiet --output json \
        --runs-dir "$folder/runs" $FLAGS >"$WORK/$1.json" 2>/dev/null || true
    kill "${servers[@]}"
}
export -f one_pair
seq "$pairs" | xargs -P "$at_once" -I{} bash -c 'one_pair {}'

changes='.comparison.requests[] | (.latency[] | "\(.quantile) \(.change)"), "failed \(.failed.change)"'
echo "$pairs pairs, $at_once at a time, ${SLOWER:-0} ms slower:"
jq -r "$changes" "$WORK"/*.json | sort | uniq -c
