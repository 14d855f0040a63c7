#!/usr/bin/env bash
# Runs tollgate with the action's inputs, reports the outputs `verdict`, `exit-code` and `run`, and
# exits as tollgate did.
# Reads GATE_BINARY, GATE_COMMAND, GATE_SCENARIO, GATE_BUDGET, GATE_ARGS, GATE_RUNS_DIR and
# GATE_COMMENT (see action.yml).
set -uo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/fail.sh"

trim() {
  local text=$1
  text=${text#"${text%%[![:space:]]*}"}
  printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# A value in quotes is used without them, as a shell would.
unquote() {
  case $1 in
    \'*\' | \"*\") [ ${#1} -ge 2 ] && printf '%s' "${1:1:${#1}-2}" ;;
    *) printf '%s' "$1" ;;
  esac
}

# Refuses inputs that cannot be used, before anything is sent.
refuse() {
  printf 'verdict=error\nexit-code=2\nrun=\n' >>"$GITHUB_OUTPUT"
  fail 2 "$1"
}

command=${GATE_COMMAND:-run}
[[ $command =~ ^[a-z-]+$ ]] || refuse "command '$command' is not a command; write run"
arguments=("$command")

while IFS= read -r line; do
  line=$(trim "$line")
  case $line in
    '') ;;
    -*) refuse "scenario '$line' is a flag; write it in args" ;;
    *) arguments+=("$(unquote "$line")") ;;
  esac
done <<<"${GATE_SCENARIO:-}"

while IFS= read -r line; do
  line=$(trim "$line")
  [ -z "$line" ] || arguments+=("--budget=$(unquote "$line")")
done <<<"${GATE_BUDGET:-}"

# One flag per line: `--rate 20/s`, `--rate=20/s` or `--insecure`.
while IFS= read -r line; do
  line=$(trim "$line")
  [ -n "$line" ] || continue
  if [[ $line =~ ^(--?[A-Za-z][A-Za-z-]*)[[:space:]]+(.+)$ ]]; then
    arguments+=("${BASH_REMATCH[1]}" "$(unquote "${BASH_REMATCH[2]}")")
  elif [[ $line =~ ^(--[A-Za-z][A-Za-z-]*=)(.+)$ ]]; then
    arguments+=("${BASH_REMATCH[1]}$(unquote "${BASH_REMATCH[2]}")")
  else
    arguments+=("$line")
  fi
done <<<"${GATE_ARGS:-}"

runs=${GATE_RUNS_DIR:-reports/runs}
# A line of its own would become an output of its own.
[[ $runs != *$'\n'* ]] || refuse "runs-dir has more than one line"
if [ "$command" != warm ]; then
  arguments+=("--runs-dir=$runs")
  [ "${GATE_COMMENT:-false}" != true ] || arguments+=(--comment)
elif [ "${GATE_COMMENT:-false}" = true ]; then
  # A warm-up keeps no run, so there is no verdict to write about.
  refuse "comment cannot be used with command warm; use it in the step that measures"
fi

# The run folders, one per line, in the order of their names, which begin with the start of the run.
list_runs() {
  local record
  for record in "$runs"/*/run.json; do [ ! -e "$record" ] || printf '%s\n' "${record%/run.json}"; done
}

# Whether the run is one machine's part of a shared run: it names itself among the parts.
is_shard() {
  local id
  id=$(sed -n 's/^  "id": "\(.*\)",$/\1/p' "$1/run.json")
  grep -q "^ .*\"run\": \"$id\"" "$1/run.json"
}

# The decision of the record's own verdict. The record is written with one key per line.
decision() {
  awk -F '"' '/^  "verdict": \{/ { inside = 1 } inside && /^    "decision":/ { print $4; exit }' "$1/run.json"
}

before=$(list_runs)
# When a job is cancelled, the runner signals only this process. tollgate then ends its run, tears
# down what it set up, and keeps the record.
"$GATE_BINARY" "${arguments[@]}" &
tollgate=$!
trap 'kill -TERM "$tollgate" 2>/dev/null' INT TERM
code=0
wait "$tollgate" || code=$?
while kill -0 "$tollgate" 2>/dev/null; do
  code=0
  wait "$tollgate" || code=$?
done
# A merge also fetches the shards, which may have begun after the whole.
run='' shard=''
while IFS= read -r folder; do
  if [ -z "$folder" ] || grep -Fxq -- "$folder" <<<"$before"; then continue; fi
  if is_shard "$folder"; then shard=$folder; else run=$folder; fi
done <<<"$(list_runs)"
run=${run:-$shard}
verdict=''
if [ -n "$run" ]; then
  verdict=$(decision "$run")
elif [ "$command" = warm ]; then
  case $code in 0) verdict=pass ;; 1) verdict=fail ;; 3) verdict=inconclusive ;; esac
fi
{
  echo "verdict=${verdict:-error}"
  echo "exit-code=$code"
  echo "run=$run"
} >>"$GITHUB_OUTPUT"
exit $code
