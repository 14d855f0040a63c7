#!/usr/bin/env bash
# How many requests a second one core of tollgate sends on time.
#
#   benches/ceiling.sh [ROUNDS] [SECONDS] > table.md
#
# The prober is pinned to core 0 and has 50 connections; the rehearsal target is pinned to core 1 and
# answers with 1 KiB. The table has the 99th percentile of the lag at each rate, as tollgate reports it,
# and the highest rate at which its median over the rounds is below 1 ms. Needs taskset; TOLLGATE names
# the program.
set -euo pipefail
rounds=${1:-3} seconds=${2:-3}
program=${TOLLGATE:-target/release/tollgate}
[[ -x $program ]] || cargo build --release --locked --bin tollgate
work=$(mktemp -d)
touch "$work/target.log"
taskset -c 1 "$program" target >"$work/target.log" 2>&1 &
target=$!
trap 'kill "$target" 2>/dev/null || true; rm -rf "$work"' EXIT
until grep -q '^listening on ' "$work/target.log"; do
    kill -0 "$target"
    sleep 0.05
done
url=$(sed -n 's/^listening on //p' "$work/target.log")/plain

for ((round = 1; round <= rounds; round++)); do
    for rate in {10000..100000..10000}; do
        taskset -c 0 "$program" run "$url" --rate "$rate/s" --duration "${seconds}s" --connections 50 \
            --max-connections 50 --report none --runs-dir "$work/runs" \
            >"$work/out" 2>&1 || true
        # The last figure in the line of the lag is its 99th percentile.
        awk -v rate="$rate" 'BEGIN { unit["µs"] = 1; unit["ms"] = 1e3; unit["s"] = 1e6 }
            $1 == "lag" { for (i = 2; i <= NF; i++) if ($i in unit) last = $(i - 1) * unit[$i]
                print rate, last; exit }' "$work/out" >"$work/cell"
        if [[ -s $work/cell ]]; then cat "$work/cell" >>"$work/cells"; else tail -5 "$work/out" >&2; fi
        rm -rf "$work/runs"
    done
done

echo "| requests a second | p99 lag, median of $rounds rounds (spread) |"
echo "|--:|--:|"
sort -k1,1n -k2,2g "$work/cells" | awk '
    { if (!($1 in n)) order[++rates] = $1; lag[$1, ++n[$1]] = $2 }
    END {
        for (r = 1; r <= rates; r++) { rate = order[r]; middle = lag[rate, int((n[rate] + 1) / 2)]
            printf "| %d | %.0f µs (%.0f to %.0f) |\n", rate, middle, lag[rate, 1], lag[rate, n[rate]]
            if (middle < 1000) best = rate }
        if (best) printf "\nThe highest rate with a p99 lag below 1 ms: %d requests a second.\n", best
        else print "\nNo rate has a p99 lag below 1 ms."
    }'
