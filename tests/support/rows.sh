# What the scripts share that count arrivals one by one: each has a data row of its own, which the
# target logs. They source this file, and set WORK to a folder and TOLLGATE to the program.

# Starts a target, and sets TARGET to its address.
start_target() {
  "$TOLLGATE" target --arrival-log "$WORK/arrivals.tsv" >"$WORK/target.out" 2>&1 &
  echo $! >"$WORK/target.pid"
  until grep -q http "$WORK/target.out"; do sleep 0.05; done
  TARGET=$(grep -o 'http://[0-9.:]*' "$WORK/target.out" | head -1)
  export TARGET
}

# Writes scenario.toml with the rows NUMBER-1, NUMBER-2 … into a folder.
write_rows_scenario() {
  local folder=$1 number=$2 rows=$3 rate=$4 seconds=$5 connections=$6 warmup=$7
  { echo id; seq -f "$number-%g" "$rows"; } >"$folder/rows.csv"
  cat >"$folder/scenario.toml" <<SCENARIO
name = "rows"
budgets = ["p50 < 2s"]
[target]
base_url = "$TARGET"
[data]
file = "rows.csv"
order = "once"
public = ["id"]
[[request]]
name = "page"
path = "/plain?row=\${{data.id}}"
[load]
arrival_rate = "$rate/s"
duration = "${seconds}s"
connections = $connections
[warmup]
connections = $connections
requests = $warmup
[gate]
stalls = "10ms"
stop_early = "never"
SCENARIO
}

# How many arrivals of a number the target saw.
arrivals() { grep -c "row=$1-[0-9]" "$WORK/arrivals.tsv" || true; }

# Whether an arrival of a number was sent more than once.
was_sent_twice() { [ -n "$(grep -o "row=$1-[0-9]*" "$WORK/arrivals.tsv" | sort | uniq -d)" ]; }

sql() { psql "$DATABASE_URL" -qAtc "$1"; }

export -f write_rows_scenario arrivals was_sent_twice sql
