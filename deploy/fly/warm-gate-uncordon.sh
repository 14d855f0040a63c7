#!/bin/sh
# Lets a new machine of a Fly app have traffic only after it was warmed up and passed the gate.
# Usage: warm-gate-uncordon.sh --app APP (--create FILE | --machine ID) [--destroy] SCENARIO [FLAG…]
#   --create FILE  create the machine; FILE is the body of Create Machine, with
#                  "skip_service_registration": true
#   --machine ID   use a machine that is cordoned already
#   --destroy      destroy the machine if it does not pass; otherwise it is kept, without traffic
#   SCENARIO       its base_url contains [${FLY_TEST_MACHINE_IP}], the machine's private address
#   FLAG…          flags of `tollgate run`
# Reads FLY_API_TOKEN, and FLY_FLAPS_BASE_URL (http://_api.internal:4280 unless it is set).
# WARM_FLAGS holds flags of `tollgate warm`, such as --limit=2m; TOLLGATE names the program.
# Must run where the private network is reachable. Needs a POSIX shell, awk and curl.
# Exit codes: 0 the machine passed and has traffic; 1 it failed; 2 usage, or the API refuses the
# app; 3 not steady, inconclusive or interrupted; 4 Fly's API or the prober failed. docs/fly.md
# explains.
set -u
umask 077

say() { printf 'warm-gate-uncordon: %s\n' "$*" >&2; }
fail() { code=$1; shift; say "$@"; exit "$code"; }

app='' machine='' file='' scenario='' destroy=no
while [ $# -gt 0 ] && [ -z "$scenario" ]; do
  case $1 in
    --app | --machine | --create)
      [ $# -gt 1 ] || fail 2 "$1 needs a value"
      case $1 in --app) app=$2 ;; --machine) machine=$2 ;; *) file=$2 ;; esac
      shift ;;
    --destroy) destroy=yes ;;
    -*) fail 2 "unknown flag $1; flags of tollgate run follow the scenario" ;;
    *) scenario=$1 ;;
  esac
  shift
done
case $app in '' | *[!a-z0-9-]*) fail 2 "write --app NAME, with the name of the app" ;; esac
case $machine in *[!a-z0-9]*) fail 2 "'$machine' is not the ID of a machine" ;; esac
case $machine:$file in
  : | ?*:?*) fail 2 "write either --create FILE or --machine ID" ;;
esac
[ -z "$file" ] || [ -r "$file" ] || fail 2 "$file cannot be read"
[ -n "$scenario" ] || fail 2 "name a scenario"
[ -r "$scenario" ] || fail 2 "$scenario cannot be read"
grep -q FLY_TEST_MACHINE_IP "$scenario" ||
  fail 2 "$scenario does not use FLY_TEST_MACHINE_IP, so it would not measure the new machine"
tollgate=${TOLLGATE:-tollgate}
for program in "$tollgate" curl awk; do
  command -v "$program" >/dev/null || fail 2 "$program is not installed"
done

# The programs that this script starts do not need the token.
token=${FLY_API_TOKEN:-}
unset FLY_API_TOKEN
case $token in
  '') fail 2 "FLY_API_TOKEN is not set" ;;
  *[!\ -~]*) fail 2 "FLY_API_TOKEN contains a line break or another character that no token has" ;;
  'FlyV1 '* | 'Bearer '*) ;;
  *) token="Bearer $token" ;;
esac
base=${FLY_FLAPS_BASE_URL:-http://_api.internal:4280}
base=${base%/}
case $base in
  *@*) fail 2 "FLY_FLAPS_BASE_URL contains '@'" ;;
  https://* | http://127.0.0.1:* | http://localhost:* | 'http://[::1]:'*) ;;
  http://*[!a-z0-9_.:-]*) fail 2 "the token would be sent unencrypted; write FLY_FLAPS_BASE_URL with https" ;;
  http://*.internal | http://*.internal:*) ;;
  *) fail 2 "the token would be sent unencrypted; write FLY_FLAPS_BASE_URL with https" ;;
esac
machines=$base/v1/apps/$app/machines

work=$(mktemp -d) || fail 4 "no temporary folder"
answer=$work/answer

# Calls the API, and sets `status` to the HTTP status, or 000. The token goes through standard input,
# because others can see command lines.
call() {
  : >"$answer"
  status=$(curl -q --silent --show-error --noproxy '*' --max-time 90 --output "$answer" \
    --write-out '%{http_code}' --header @- "$@" <<EOF
Authorization: $token
Content-Type: application/json
EOF
  ) 2>"$work/why" || status=000
}

# A call that may be repeated. curl repeats 408, 429, 500, 502, 503 and 504 with growing pauses.
repeatable() { call --retry 5 --retry-connrefused --retry-max-time 120 "$@"; }

# Prints a value of the answer's outermost object; text only if it has no escapes.
value() { json_value "$1" "$answer"; }
json_value() {
  awk -v wanted="$1" '
    { text = text $0 "\n" }
    END {
      depth = 0
      while (length(text) > 0) {
        if (match(text, /^"([^"\\]|\\.)*"/)) {
          token = substr(text, 2, RLENGTH - 2)
          rest = substr(text, RLENGTH + 1)
          is_key = depth == 1 && match(rest, /^[ \t\r\n]*:/)
          if (is_key) key = token
          else if (depth == 1 && key == wanted) { print token; exit }
          text = is_key ? substr(rest, RLENGTH + 1) : rest
        } else if (match(text, /^[^]["{},: \t\r\n]+/)) {
          if (depth == 1 && key == wanted) { print substr(text, 1, RLENGTH); exit }
          text = substr(text, RLENGTH + 1)
        } else {
          first = substr(text, 1, 1)
          if (first ~ /[[{]/) depth++
          if (first ~ /[]}]/) depth--
          if (first == "," && depth == 1) key = ""
          text = substr(text, 2)
        }
      }
    }' "$2"
}

# Why a call failed, for a message.
problem() {
  case $status in
    000) printf 'no answer from %s: %s' "$base" "$(tail -n 1 "$work/why")" ;;
    401 | 403) printf 'HTTP %s: FLY_API_TOKEN does not open the app %s' "$status" "$app" ;;
    *) printf 'HTTP %s: %s' "$status" "$(value error | cut -c 1-200)" ;;
  esac
}
ok() { case $status in 2??) return 0 ;; esac; return 1; }

creating=no is_known=no may_have_traffic=no
# However the script ends: says what becomes of a machine that did not pass.
leave() {
  code=$?
  trap '' HUP INT TERM
  if [ "$creating" = yes ]; then
    say "a machine may have been created; it gets no traffic. Look for it: fly machine list --app $app"
  elif [ -n "$machine" ] && [ "$is_known" = yes ] && [ "$may_have_traffic" = no ]; then
    say "machine $machine gets no traffic"
    if [ "$destroy" = yes ]; then
      repeatable --request DELETE "$machines/$machine?force=true"
      case $status in
        2?? | 404) say "machine $machine is destroyed" ;;
        *) say "machine $machine could not be destroyed ($(problem))"; destroy=no ;;
      esac
    fi
    [ "$destroy" = yes ] || say "remove it: fly machine destroy --force $machine --app $app"
  fi
  rm -rf "$work"
  exit "$code"
}

child='' interrupted=no
# Passes a signal on. Ctrl-C reaches the child by itself, and a second signal would cut it short.
interrupt() {
  interrupted=yes
  if [ -n "$child" ] && { [ "$1" != INT ] || ! [ -t 0 ]; }; then
    kill -TERM "$child" 2>/dev/null
  fi
}
trap leave EXIT
trap 'interrupt HUP' HUP
trap 'interrupt INT' INT
trap 'interrupt TERM' TERM

stop_if_interrupted() { [ "$interrupted" = no ] || fail 3 "interrupted"; }

# Runs a program, and sets `code` to its exit code.
run() {
  "$@" &
  child=$!
  [ "$interrupted" = no ] || interrupt TERM
  code=0
  wait "$child" || code=$?
  # A signal ends `wait` before the program.
  while kill -0 "$child" 2>/dev/null; do
    code=0
    wait "$child" || code=$?
  done
  child=''
  # Something else ended it, such as a lack of memory.
  [ "$code" -le 4 ] || code=4
}

# --- The machine: new, started and without traffic.
if [ -n "$file" ]; then
  [ "$(json_value skip_service_registration "$file")" = true ] ||
    fail 2 "$file does not contain \"skip_service_registration\": true, so the machine would get traffic"
  creating=yes
  call --request POST --data-binary "@$file" "$machines"
  case $status in
    2??) ;;
    408) fail 4 "the machine was not created ($(problem))" ;;
    429) creating=no; fail 4 "the machine was not created ($(problem))" ;;
    4??) creating=no; fail 2 "the machine was not created ($(problem))" ;;
    *) fail 4 "the machine was not created ($(problem))" ;;
  esac
  machine=$(value id)
  [ -n "$machine" ] || fail 4 "Fly's answer names no machine"
  creating=no is_known=yes
  say "created machine $machine without traffic"
  stop_if_interrupted
fi
repeatable "$machines/$machine"
case $status in
  2??) ;;
  401 | 403 | 404) [ "$is_known" = yes ] || fail 2 "machine $machine cannot be read ($(problem))" ;;
esac
ok || fail 4 "machine $machine cannot be read ($(problem))"
state=$(value state) version=$(value instance_id) address=$(value private_ip) cordoned=$(value cordoned)
if [ -z "$file" ]; then
  [ "$cordoned" = true ] ||
    fail 2 "machine $machine is not cordoned, so it may have traffic now. If it is new: fly machine cordon $machine --app $app"
  is_known=yes
elif [ "$cordoned" != true ]; then
  repeatable --request POST "$machines/$machine/cordon"
  ok || fail 4 "machine $machine cannot be cordoned ($(problem))"
fi
case $address in
  *:*) ;;
  *) fail 4 "machine $machine has no private IPv6 address" ;;
esac
stop_if_interrupted
case $state in
  started | starting | replacing) ;;
  *)
    repeatable --request POST "$machines/$machine/start"
    # 409 and 412: it is about to start by itself.
    case $status in 2?? | 409 | 412) ;; *) fail 4 "machine $machine cannot be started ($(problem))" ;; esac ;;
esac
stop_if_interrupted
repeatable "$machines/$machine/wait?state=started&instance_id=$version&timeout=60"
ok || fail 4 "machine $machine does not start ($(problem))"
stop_if_interrupted

# --- Warm it, and gate it.
FLY_TEST_MACHINE_IP=$address
export FLY_TEST_MACHINE_IP
say "warming machine $machine at [$address]"
# shellcheck disable=SC2086 # WARM_FLAGS holds several words.
run "$tollgate" warm ${WARM_FLAGS:-} "$scenario"
stop_if_interrupted
[ "$code" = 0 ] || fail "$code" "machine $machine is not warm (exit code $code)"
say "gating machine $machine"
run "$tollgate" run "$scenario" "$@"
stop_if_interrupted
[ "$code" = 0 ] || fail "$code" "machine $machine does not pass the gate (exit code $code)"

# --- Give it traffic, if it still is the machine that passed.
repeatable "$machines/$machine"
ok || fail 4 "machine $machine cannot be read ($(problem))"
[ "$(value instance_id)" = "$version" ] ||
  fail 3 "machine $machine was updated since, so what passed is not what runs"
[ "$(value state)" = started ] || fail 3 "machine $machine is $(value state) by now"
stop_if_interrupted
trap '' HUP INT TERM
may_have_traffic=yes
repeatable --request POST "$machines/$machine/uncordon"
ok || fail 4 "machine $machine passed, but it cannot be uncordoned ($(problem)). Try again: fly machine uncordon $machine --app $app"
say "machine $machine passed, and gets traffic now"
