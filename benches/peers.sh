#!/usr/bin/env bash
# What a request costs tollgate and the other load generators that are installed here.
#
#   benches/peers.sh [ROUNDS] [SECONDS] > table.md
#
# Each client is pinned to core 0 and has 50 connections; the rehearsal target is pinned to core 1 and
# answers with 1 KiB. In each round every client runs once in every mode. The table has the medians of
# the rounds: processor time of the whole process per answered request, in µs, and how far the rounds
# lie apart. Cells of different runs of this script cannot be compared: machines differ in time.
# `tollgate-batches` sends the requests of each millisecond together, and `tollgate` each when it is due.
# With valgrind, the table also has the user instructions per request of the closed loop. Other load on
# the machine hardly changes them. Needs taskset and GNU time; TOLLGATE names the program. Known are wrk,
# wrk2, h2load, oha, ab, hey, bombardier, fortio, vegeta and k6.
set -euo pipefail
rounds=${1:-3} seconds=${2:-5}
TIMEFORMAT='%3U %3S'
program=${TOLLGATE:-target/release/tollgate} bare=${BARE_CLIENT:-target/release/examples/bare_client}
[[ -x $program && -x $bare ]] || cargo build --release --locked --bin tollgate --example bare_client
work=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

serve() { # serve NAME [FLAGS]: a rehearsal target, its base URL in $work/NAME.url
    local log=$work/$1.log name=$1
    shift
    touch "$log"
    taskset -c 1 "$program" target "$@" >"$log" 2>/dev/null &
    servers+=($!)
    until grep -q '^listening on ' "$log"; do sleep 0.05; done
    sed -n 's/^listening on //p' "$log" >"$work/$name.url"
}
serve plain
serve tls --tls --tls-ca-out "$work/ca.pem"

modes=('HTTP/1.1, closed' 'TLS, HTTP/1.1, closed' 'TLS, HTTP/2, closed' 'HTTP/1.1, 10000/s' 'HTTP/1.1, 200/s')
clients=(bare wrk wrk2 h2load oha ab hey bombardier fortio vegeta k6 tollgate tollgate-batches)

command_of() { # command_of CLIENT MODE: its command in the array `words`; false if it has none
    local client=$1 mode=$2 url rate=''
    url=$(cat "$work/plain.url")/plain
    [[ $mode != TLS* ]] || url=$(cat "$work/tls.url")/plain
    [[ $mode != *[0-9]/s ]] || rate=$(sed 's/.* \([0-9]*\)\/s/\1/' <<<"$mode")
    words=()
    case $client:$mode in
    bare:TLS* | wrk:*/s | wrk:*HTTP/2* | wrk2:*HTTP/2* | ab:*/s | ab:*HTTP/2*) return 1 ;;
    bare:*) url=${url#http://} && words=("$bare" "${url%%/*}" /plain 50 "$length" ${rate:+"$rate"}) ;;
    wrk:*) words=(wrk -t1 -c50 -d "${length}s" "$url") ;;
    wrk2:*) words=(wrk2 -t1 -c50 -d "${length}s" -R "${rate:-1000000}" "$url") ;;
    h2load:*HTTP/2*) words=(h2load -t1 -c50 -m1 -D "$length" "$url") ;;
    h2load:*) words=(h2load --h1 -t1 -c50 -D "$length" ${rate:+--rps=$((rate / 50))} "$url") ;;
    oha:*HTTP/2*) words=(oha --no-tui --insecure --http-version 2 -p 1 -c 50 -z "${length}s" "$url") ;;
    oha:*) words=(oha --no-tui --insecure -c 50 -z "${length}s" ${rate:+-q "$rate"} "$url") ;;
    ab:*) words=(ab -k -c 50 -t "$length" -n 100000000 "$url") ;;
    hey:*HTTP/2*) words=(hey -h2 -c 50 -z "${length}s" "$url") ;;
    hey:*) words=(hey -c 50 -z "${length}s" ${rate:+-q $((rate / 50))} "$url") ;;
    bombardier:*HTTP/2*) words=(bombardier --http2 -k -c 50 -d "${length}s" "$url") ;;
    bombardier:*) words=(bombardier -k -c 50 -d "${length}s" ${rate:+-r "$rate"} "$url") ;;
    fortio:*HTTP/2*) words=(fortio load -h2 -k -c 50 -t "${length}s" -qps 0 "$url") ;;
    fortio:*) words=(fortio load -k -c 50 -t "${length}s" -qps "${rate:-0}" "$url") ;;
    vegeta:*/s)
        words=(sh -c "echo GET $url | vegeta attack -duration ${length}s -rate $rate | vegeta report")
        ;;
    k6:*)
        local executor="executor: 'constant-vus', vus: 50, duration: '${length}s'"
        [[ -z $rate ]] || executor="executor: 'constant-arrival-rate', rate: $rate, preAllocatedVUs: 50, duration: '${length}s'"
        echo "import http from 'k6/http'; export const options = { insecureSkipTLSVerify: true, scenarios: { load: { $executor } } };
            export default function () { http.get('$url'); }" >"$work/k6.js"
        words=(k6 run --quiet "$work/k6.js")
        ;;
    tollgate:*)
        local http=1.1
        [[ $mode != *HTTP/2* ]] || http=2
        words=("$program" run "$url" --duration "${length}s" --connections 50 --http "$http"
            --ca "$work/ca.pem" --report none --runs-dir "$work/runs")
        if [[ -n $rate ]]; then words+=(--rate "$rate/s" --max-connections 50); else words+=(--closed); fi
        ;;
    tollgate-batches:*' 10000/s')
        cat >"$work/batches.toml" <<EOF
name = "batches"
budgets = ["max < 10s"]
target = { base_url = "${url%/plain}" }
request = [{ name = "plain", path = "/plain" }]

[load]
arrival_rate = "$rate/s"
duration = "${length}s"
connections = 50
batch_every = "1ms"
EOF
        words=("$program" run "$work/batches.toml" --report none --runs-dir "$work/runs")
        ;;
    *) return 1 ;;
    esac
}

count_in() { # count_in CLIENT FILE: how many requests it says were answered
    case $1 in
    bare | wrk | wrk2) awk '/requests/ { print $1; exit }' "$2" ;;
    h2load) awk '/^status codes:/ { print $3; exit }' "$2" ;;
    oha) awk '/responses$/ { n += $2 } END { print n }' "$2" ;;
    ab) awk '/^Complete requests/ { print $3 }' "$2" ;;
    hey) awk '/responses$/ { n += $2 } END { print n }' "$2" ;;
    bombardier) sed -n 's/.*2xx - \([0-9]*\).*/\1/p' "$2" ;;
    fortio) sed -n 's/^Code 200 : \([0-9]*\).*/\1/p' "$2" ;;
    vegeta) awk '/^Status Codes/ { sub("200:", "", $NF); print $NF }' "$2" ;;
    k6) awk '/http_reqs/ { print $2 }' "$2" ;;
    tollgate*) sed -n 's/^ *"released": \([0-9]*\),*/\1/p' "$work"/runs/*/run.json | head -1 ;;
    esac
}

counted_run() { # counted_run CLIENT MODE SECONDS: user instructions and requests of a run in valgrind
    length=$3
    command_of "$1" "$2"
    rm -rf "$work/runs"
    # Under valgrind the prober is slow, so a run of tollgate may be void.
    taskset -c 0 valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file="$work/valgrind" \
        "${words[@]}" >"$work/out" 2>&1 || true
    echo "$(sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$work/valgrind") $(count_in "$1" "$work/out")"
}

instructions_of() { # instructions_of CLIENT MODE: user instructions a request, without start-up and exit
    command -v valgrind >/dev/null || return 0
    local short long
    short=$(counted_run "$1" "$2" 2)
    long=$(counted_run "$1" "$2" 6)
    echo "$short $long" | awk '$4 > $2 { printf "%.0f", ($3 - $1) / ($4 - $2) }'
}

for ((round = 1; round <= rounds; round++)); do
    for mode in "${modes[@]}"; do
        for client in "${clients[@]}"; do
            # Starting and ending a run costs the same however few requests it sends.
            length=$seconds
            [[ $mode != *' 200/s' ]] || length=$((seconds * 3))
            [[ $client == bare || $client == tollgate* ]] || command -v "$client" >"$work/which" || continue
            command_of "$client" "$mode" || continue
            rm -rf "$work/runs"
            { time env time -f %M -o "$work/memory" taskset -c 0 "${words[@]}" >"$work/out" 2>&1 || true; } 2>"$work/time"
            count=$(count_in "$client" "$work/out" 2>/dev/null || true)
            if [[ -z $count || $count == 0 ]]; then
                echo "$client in \"$mode\" printed no count:" >&2
                tail -5 "$work/out" >&2
                continue
            fi
            instructions=-
            if [[ $round == 1 && $mode == 'HTTP/1.1, closed' ]]; then
                instructions=$(instructions_of "$client" "$mode")
            fi
            paste -d ' ' <(tail -1 "$work/time") <(tail -1 "$work/memory") | awk -v OFS='\t' -v m="$mode" -v c="$client" -v n="$count" -v i="${instructions:--}" -v s="$length" \
                '{ print m, c, ($1 + $2) / n * 1e6, $3 / 1024, n / s, i }' >>"$work/cells"
        done
    done
done

echo "| mode | client | CPU, µs a request (spread) | times wrk or bare | peak MiB | requests/s | user instructions a request |"
echo "|---|---|--:|--:|--:|--:|--:|"
sort -t $'\t' -k1,1 -k2,2 -k3,3g "$work/cells" | awk -F'\t' '
    { key = $1 FS $2; if (!(key in seen)) { order[++keys] = key; seen[key] = 1 } n[key]++; cpu[key, n[key]] = $3
      memory[key] = ($4 > memory[key] ? $4 : memory[key]); rate[key] = ($5 > rate[key] ? $5 : rate[key]); if ($6 != "-") own[key] = $6 }
    END {
        for (k = 1; k <= keys; k++) { key = order[k]; split(key, part, FS); middle[key] = cpu[key, int((n[key] + 1) / 2)]
            if (part[2] == "bare" || (part[2] == "wrk" && !(part[1] in base))) base[part[1]] = middle[key] }
        for (k = 1; k <= keys; k++) { key = order[k]; split(key, part, FS)
            ratio = (part[1] in base) ? sprintf("%.2f", middle[key] / base[part[1]]) : "–"
            printf "| %s | %s | %.1f (%.1f to %.1f) | %s | %.0f | %.0f | %s |\n", part[1], part[2], middle[key], cpu[key, 1],
                cpu[key, n[key]], ratio, memory[key], rate[key], (key in own) ? sprintf("%.0f", own[key]) : "–" }
    }'
