#!/usr/bin/env bash
# Whether `tollgate tune` restores killed sessions, and finds what is planted, on this machine.
#
#   benches/tune_sessions.sh kills [KILLS]
#   benches/tune_sessions.sh sessions [SESSIONS] [AT_ONCE]
#
# `kills`: sessions against one simulated app, each killed at a random moment of its life and then
# restored; counts how often the machines are as before. `sessions`: whole sessions with planted
# truths; says whether their intervals cover them. An answer takes longer than planted, because it
# also passes sockets, a proxy and timers. Before each session this overhead is measured on a
# machine that always takes 20 ms / SCALE. TOLLGATE names the program. SCALE is the number
# of simulated seconds in a real one: the lower it is, the less a busy machine distorts.
set -euo pipefail
export TOLLGATE=${TOLLGATE:-target/release/tollgate} SCALE
export WORK
WORK=$(mktemp -d)
trap 'kill $(cat "$WORK"/*/target.pid 2>/dev/null) 2>/dev/null || true; rm -rf "$WORK"' EXIT

# Starts an app and reads its variables. Arguments: its folder, its seed, its machines, its [work].
start_app() {
    mkdir "$1"
    cat >"$1/fly.toml" <<FLY
scale = $SCALE
seed = $2
$3
[service]
autostop = "off"
[work]
cache_seconds = 0
cache_cost = "0ms"
${4:-$WORK_OF_APP}
[faults]
rate_limits = false
[[effect]]
env = { B = "1" }
latency = "-60ms"
[[effect]]
env = { D = "1" }
request_cpu = "40ms"
FLY
    cat >"$1/scenario.toml" <<'SCENARIO'
name = "bench"
budgets = ["errors < 5%"]
[target]
base_url = "${TOLLGATE_TARGET}"
timeout = "20s"
[headers]
User-Agent = "Shopify POS/HotDashSyntheticCheck"
[[request]]
name = "page"
path = "/app?mock=1"
[load]
arrival_rate = "40/s"
duration = "1s"
connections = 20
[warmup]
connections = 2
requests = 2
SCENARIO
    "$TOLLGATE" target --fly "$1/fly.toml" >"$1/target.out" 2>&1 &
    echo $! >"$1/target.pid"
    until grep -q FLY_APP "$1/target.out"; do sleep 0.1; done
    # shellcheck disable=SC1090 # the program prints them
    source <(grep '^export ' "$1/target.out")
    export TOLLGATE_TARGET=$FLY_FLAPS_BASE_URL
}

WORK_OF_APP='boot_cpu = "2s"
request_cpu = "4ms"
latency = "lognormal:120ms,0.1"
warming = 40
warming_factor = 3.0'

# The milliseconds of an answer beyond what is planted. Argument: a folder.
measure_overhead() {
    start_app "$1" 1 "" $'request_cpu = "0ms"\nlatency = "constant:20ms"\nwarming = 0'
    "$TOLLGATE" run "$1/scenario.toml" --duration 10s --runs-dir "$1/runs" >/dev/null 2>&1 || true
    kill "$(cat "$1/target.pid")"
    rm "$1/target.pid"
    jq --argjson planted "$((20000 / SCALE))" \
        '(.measurement.scenarios[0].requests[0].measured.series.latency.p50_us - $planted) / 1000' \
        "$1"/runs/*/run.json
}

# Writes a plan. Arguments: the folder, rounds, the curve's limit, the seed, configurations.
write_plan() {
    cat >"$1/tune.toml" <<PLAN
name = "bench"
scenario = "scenario.toml"
app = "rehearsal"
cold = "stop"
rounds = $2
seed = $4
[curve]
rate = "20/s"
limit = "$3"
[[configuration]]
name = "A"
$5
PLAN
}

patched() { printf '[[configuration]]\nname = "%s"\nmachine = { env = { %s = "1" } }\n' "$1" "$1"; }

tune() {
    "$TOLLGATE" tune "$WORK/$1/tune.toml" --app rehearsal --allow-downtime --metric-interval \
        "$((15000 / SCALE))ms" --sessions-dir "$WORK/$1/sessions" --runs-dir "$WORK/$1/runs" \
        </dev/null
}

machines() {
    curl -sf -H "authorization: Bearer $FLY_API_TOKEN" \
        "$FLY_FLAPS_BASE_URL/v1/apps/rehearsal/machines" |
        jq -S '[.[] | {id, state, config}]'
}

# Kills sessions, each at a random moment of the longest life.
kill_sessions() {
    local kills=$1 restored=0 changed=0 life now step
    start_app "$WORK/app" 1 $'[[machine]]\n[[machine]]\nstate = "suspended"'
    write_plan "$WORK/app" 1 1s 1 "$(patched B)"
    local before
    before=$(machines)
    SECONDS=0
    tune app >/dev/null 2>&1
    life=$((SECONDS * 1000))
    for ((kill = 1; kill <= kills; kill++)); do
        "$TOLLGATE" tune "$WORK/app/tune.toml" --app rehearsal --allow-downtime \
            --metric-interval 10ms --sessions-dir "$WORK/app/sessions" --runs-dir "$WORK/app/runs" \
            </dev/null >/dev/null 2>"$WORK/app/session.err" &
        local session=$! moment=$((RANDOM * life / 32768))
        sleep "$((moment / 1000)).$(printf %03d $((moment % 1000)))"
        kill -KILL $session 2>/dev/null || true
        wait $session 2>/dev/null || true
        step=$(grep -c . "$WORK/app/session.err" || true)
        [[ $(machines) == "$before" ]] || changed=$((changed + 1))
        "$TOLLGATE" tune restore --sessions-dir "$WORK/app/sessions" >"$WORK/app/restore.out" 2>&1 ||
            sed "s/^/kill $kill, after $moment ms: /" "$WORK/app/restore.out"
        now=$(machines)
        if [[ $now == "$before" && -z $(find "$WORK/app/sessions" -name restore.json) ]]; then
            restored=$((restored + 1))
        else
            echo "kill $kill, after $moment ms, $step lines: NOT RESTORED"
            diff <(echo "$before") <(echo "$now") || true
        fi
    done
    echo "$restored of $kills killed sessions restored; $changed had left the app changed"
}

# A whole session of four configurations; prints one line for each planted truth.
one_session() {
    local overhead
    overhead=$(measure_overhead "$WORK/$1-overhead")
    start_app "$WORK/$1" "$1" $'[[machine]]\nbalance = "5s"'
    write_plan "$WORK/$1" "${ROUNDS:-3}" 20s "$1" "$(patched B; patched C; patched D)"
    local code=0
    tune "$1" >"$WORK/$1/out" 2>"$WORK/$1/err" || code=$?
    kill "$(cat "$WORK/$1/target.pid")"
    if [[ $code != 0 ]]; then
        echo "session $1: exit code $code"
        tail -5 "$WORK/$1/err"
    fi
    jq -r --arg session "$1" --argjson scale "$SCALE" --argjson overhead "$overhead" \
        "$CHECKS" "$WORK/$1"/sessions/*/session.json
}

# The truths. A boot takes 200 ms and 2 s of CPU; the first request takes 3 × 120 ms and 4 ms.
# shellcheck disable=SC2016,SC2089 # a program of jq
CHECKS='
def figure($index; $kind): .conclusion.configurations[$index].figures[] | select(.kind == $kind);
def shown: . * 10 | round / 10;
def covers($truth): if . == null then "-" elif .[0] <= $truth and $truth <= .[1] then "yes" else "NO" end;
def row($what; $truth; $value; $interval; $holds):
  [$session, $what, ($truth | shown), ($value | shown), ($interval // [0, 0] | map(shown) | join(" to ")), $holds] | @tsv;
def times($what; $truth; $estimate):
  ($estimate.interval // null) as $interval
  | ($interval | if . then map(. * 1000) else . end) as $ms
  | row($what; $truth; $estimate.value * 1000; $ms; $ms | covers($truth));
def count($index): .conclusion.configurations[$index].throttle | .attempts // 0;
times("A first answer, ms"; 2564 / $scale + $overhead; figure(0; "first_answer").estimate),
(figure(0; "requests_to_steady").estimate |
  row("A requests to steady"; 40; .value; .interval; .interval | covers(40))),
times("A steady p50, ms"; 124 / $scale + $overhead; figure(0; "steady_p50").estimate),
times("B - A steady p50, ms"; -60 / $scale; figure(1; "steady_p50").difference.estimate),
row("C: clear differences"; 0;
  [.conclusion.configurations[2].figures[].difference | select(.is_clear?)] | length; null;
  if any(.conclusion.configurations[2].figures[].difference; .is_clear?) then "NO" else "yes" end),
row("D: throttled attempts"; .plan.rounds; count(3); null;
  if count(3) == .plan.rounds then "yes" else "NO" end),
row("A, B, C: throttled attempts"; 0; count(0) + count(1) + count(2); null;
  if count(0) + count(1) + count(2) == 0 then "yes" else "NO" end)'
# shellcheck disable=SC2090
export CHECKS
export WORK_OF_APP
export -f start_app measure_overhead write_plan patched tune one_session

case ${1:-} in
kills)
    SCALE=${SCALE:-2}
    kill_sessions "${2:-40}"
    ;;
sessions)
    SCALE=${SCALE:-2}
    seq "${2:-5}" | xargs -P "${3:-1}" -I{} bash -c 'one_session {}' >"$WORK/table"
    sort -k1n -t $'\t' "$WORK/table" |
        column -t -s $'\t' -N session,what,truth,stated,interval,holds
    echo "$(grep -c 'yes$' "$WORK/table") of $(grep -c '\(yes\|NO\|-\)$' "$WORK/table") hold"
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
