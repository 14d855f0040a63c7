#!/usr/bin/env bash
# Whether `tollgate tune --find-rate` finds the capacity of rehearsal targets on this machine.
#
#   benches/rate_searches.sh [further flags of tune]
#
# Each target has a number of workers and pages of constant latency, so that its capacity is known:
# workers / latency. At even arrivals, that is the largest rate within any budget above the latency.
# TOLLGATE names the program. Each of the five searches takes one to three minutes.
set -euo pipefail
tollgate=${TOLLGATE:-target/release/tollgate}
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null; rm -rf "$work"' EXIT

right=0 searches=0
while read -r workers latency capacity; do
    : >"$work/listening"
    "$tollgate" target --workers "$workers" --mock-latency "constant:$latency" \
        >"$work/listening" 2>/dev/null &
    server=$!
    until [[ -s $work/listening ]]; do sleep 0.1; done
    url="$(sed 's/listening on //' "$work/listening")/app?mock=1"
    started=$SECONDS
    "$tollgate" tune --find-rate "$url" --budget 'p90 < 300ms' --min-rate $((capacity / 3))/s \
        --max-rate $((capacity * 2))/s --step-duration 6s --step-pause 500ms --quiet --output json \
        --runs-dir "$work/runs" "$@" </dev/null >"$work/search.json" 2>/dev/null || true
    kill "$server"
    wait "$server" 2>/dev/null || true
    # A search that ended in any other way has not proven both ends of an interval.
    holds=".ending == \"found\" and .within <= $capacity and $capacity < .over.rate"
    verdict=$(jq -r "if $holds then \"right\" else \"WRONG\" end" "$work/search.json")
    jq -r "\"capacity $capacity/s: \(.within // \"-\")/s to \(.over.rate // \"-\")/s, \(.ending), \" +
        \"\(.steps | length) runs, $((SECONDS - started)) s, $verdict\"" "$work/search.json"
    searches=$((searches + 1))
    [[ $verdict == right ]] && right=$((right + 1))
done <<'TARGETS'
1 20ms 50
2 25ms 80
1 50ms 20
4 100ms 40
3 50ms 60
TARGETS
echo "the capacity is inside the interval in $right of $searches searches"
