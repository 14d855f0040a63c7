# What the scripts in this folder share. They source it.

fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }
# Prints a log and fails.
fail_with() { cat "$1"; shift; fail "$@"; }
skip() { printf '%s: skipped: %s\n' "$(basename "$0")" "$*"; exit 0; }

# The program to test, as an absolute path.
find_program() {
  local program
  program=$(realpath "${1:-$here/../../target/debug/tollgate}")
  [ -x "$program" ] || fail "no program at $program; run cargo build first"
  printf '%s' "$program"
}

# Skips the script unless the machine has these programs.
need_programs() {
  local program
  for program; do command -v "$program" >/dev/null || skip "no $program on the PATH"; done
}

# Waits until a command succeeds.
wait_for() {
  local what=$1
  shift
  local end=$((SECONDS + 30))
  while [ "$SECONDS" -lt "$end" ]; do
    ! "$@" || return 0
    sleep 0.05
  done
  echo "$what did not come within 30 s" >&2
  return 1
}

# Removes what would change the runs, and puts the program on the PATH.
clean_environment() {
  local name
  for name in $(compgen -v TOLLGATE_ || true) $(compgen -v SLURM_ || true) $(compgen -v SBATCH_ || true) DATABASE_URL GITHUB_ACTIONS; do
    unset "$name"
  done
  mkdir -p "$work/bin"
  ln -s "$tollgate" "$work/bin/tollgate"
  export PATH=$work/bin:$PATH TOLLGATE_REPORT=none
}

# Starts the rehearsal target, and sets TOLLGATE_TARGET to its address.
start_target() {
  "$tollgate" target --listen 127.0.0.1:0 --arrival-log "$work/arrivals.tsv" >"$work/target.log" 2>&1 &
  target=$!
  wait_for "the rehearsal target" grep -q '^listening on ' "$work/target.log" || fail_with "$work/target.log" "no target"
  TOLLGATE_TARGET=$(sed -n 's/^listening on //p' "$work/target.log")
  export TOLLGATE_TARGET
}

# How many requests the target has received.
count_requests() { wc -l <"$work/arrivals.tsv"; }

# Writes shop.toml, which two machines can share and which passes after three seconds.
write_scenario() {
  cat >"$work/shop.toml" <<'END'
name = "shop"
budgets = ["p90 < 500ms"]

[target]
base_url = "${TOLLGATE_TARGET}"

[gate]
stalls = "10ms"

[load]
arrival_rate = "75/s"
duration = "3s"
connections = 40

[[request]]
name = "plain"
path = "/plain"
END
}
