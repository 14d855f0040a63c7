#!/usr/bin/env bash
# Whether costs grow faster than what causes them.
#
#   benches/growth.sh [GROUP...] > table.md
#
# Each group is measured at one size and at ten times that size: processor time and peak memory of
# each command, and the size of the files. None may grow to more than 15
# times: caches hold less of what is large, and quadratic growth would be a hundredfold. The script
# exits with 1 otherwise.
#
# - `connections`, `scenarios`, `weights` (requests of one scenario that take turns) and `requests`
#   (sent requests) are runs against a rehearsal target on the loopback interface.
# - `seconds` and `rate` are runs that `examples/long_run.rs` simulates.
# - `days` is a history of 24 runs a day that `examples/history_year.rs` generates.
#
# All take about five minutes. REQUESTS=1000000 starts the group `requests` there. Needs GNU time;
# TOLLGATE names the program.
set -euo pipefail
program=${TOLLGATE:-target/release/tollgate} examples=${EXAMPLES:-target/release/examples}
requests=${REQUESTS:-100000}
groups=("$@")
[[ ${#groups[@]} -gt 0 ]] || groups=(connections scenarios weights requests seconds rate days)
[[ -x $program && -x $examples/long_run && -x $examples/history_year ]] ||
    cargo build --release --locked --bin tollgate --example long_run --example history_year
unset DATABASE_URL # The folders are what is measured.
ulimit -n "$(ulimit -Hn)"
work=$(mktemp -d)
"$program" target >"$work/target.log" 2>"$work/target.errors" &
target=$!
trap 'kill "$target" 2>/dev/null || true; rm -rf "$work"' EXIT
until grep -q '^listening on ' "$work/target.log"; do
    kill -0 "$target" || { cat "$work/target.errors" >&2; exit 1; }
    sleep 0.05
done
url=$(sed -n 's/^listening on //p' "$work/target.log")

note() { # note FIGURE VALUE: a cell of the table
    printf '%s\t%s\t%s\t%s\n' "$group" "$size" "$1" "$2" >>"$work/cells"
}

measure() { # measure WHAT COMMAND...: its processor time and peak memory
    local what=$1 code=0
    shift
    env time -f '%U %S %M' -o "$work/time" "$@" >"$work/out" 2>"$work/errors" || code=$?
    # A verdict of any kind is fine: what counts is that the program has done its work.
    if [[ $code == 2 || $code -gt 3 ]]; then
        echo "$* ended with $code:" >&2
        tail -5 "$work/errors" >&2
        exit 1
    fi
    note "$what: processor time, s" "$(tail -1 "$work/time" | awk '{ print $1 + $2 }')"
    note "$what: peak, MiB" "$(tail -1 "$work/time" | awk '{ print $3 / 1024 }')"
}

write_scenario() { # write_scenario NAME CONNECTIONS ITERATIONS [REQUESTS]
    local nth
    cat >"$work/$1.toml" <<END
name = "$1"
budgets = ["p95 < 2s", "errors < 1%"]
[target]
base_url = "$url"
timeout = "60s"
[load]
connections = $2
iterations = $3
END
    for ((nth = 1; nth <= ${4:-1}; nth++)); do
        printf '[[request]]\nname = "plain %s"\npath = "/plain"\nweight = 1\n' "$nth"
    done >>"$work/$1.toml"
}

probe() { # probe SCENARIO...: one run of these scenarios
    measure run "$program" run "${@/#/$work/}" --report none --runs-dir "$runs"
}

simulate() { # simulate SECONDS RATE: two runs, compared
    measure simulate "$examples/long_run" "$runs" "$1" "$2"
    "$examples/long_run" "$runs" "$1" "$2" >"$work/out"
    measure compare "$program" compare previous latest --runs-dir "$runs"
}

make_runs() { # make_runs: the run or runs of a group and size
    case $group in
    connections)
        write_scenario many "$size" $((size * 10))
        probe many.toml
        ;;
    scenarios)
        local names=() nth
        for ((nth = 1; nth <= size; nth++)); do
            write_scenario "scenario-$nth" 2 200
            names+=("scenario-$nth.toml")
        done
        probe "${names[@]}"
        ;;
    weights)
        write_scenario many 16 $((size * 1000)) "$size"
        probe many.toml
        ;;
    requests)
        write_scenario many 64 "$size"
        probe many.toml
        ;;
    seconds) simulate "$size" 1 ;;
    rate) simulate 1000 "$size" ;;
    days) "$examples/history_year" "$runs" "$size" 1 >"$work/out" ;;
    esac
}

small_size() {
    case $group in
    connections) echo 1000 ;;
    scenarios | weights) echo 10 ;;
    requests) echo "$requests" ;;
    seconds) echo 8640 ;;
    rate) echo 1000 ;;
    days) echo 20 ;;
    *) echo "unknown group $group" >&2 && exit 2 ;;
    esac
}

for group in "${groups[@]}"; do
    small=$(small_size)
    for size in "$small" $((small * 10)); do
        runs=$work/$group-$size
        make_runs
        note 'files, MiB' "$(du -sb "$runs" | awk '{ print $1 / 1048576 }')"
        [[ $group == days ]] || measure show "$program" show --runs-dir "$runs"
        measure history "$program" history --runs-dir "$runs" --since 2025-01-01
        measure report "$program" report --runs-dir "$runs" --since 2025-01-01 --out "$work/site"
        rm -rf "$work/site" "$runs"
    done
done

echo '| group | figure | at one size | at ten times the size | ratio |'
echo '|---|---|--:|--:|--:|'
awk -F'\t' '
    { key = $1 FS $3 }
    !(key in small) { small[key] = $4; size[key] = $2; next }
    {
        # Processor time has steps of 0.01 s.
        ratio = $4 / (small[key] < 0.02 ? 0.02 : small[key])
        is_over = (ratio > 15)
        over = over || is_over
        shown = sprintf("%.1f", ratio) (is_over ? ", above linear" : "")
        printf "| %s, %s and %s | %s | %.2f | %.2f | %s |\n", $1, size[key], $2, $3, small[key],
            $4, shown
    }
    END { exit over }' "$work/cells"
