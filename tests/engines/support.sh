# What the scripts in this folder share. They source it.

fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }
# Prints a log and fails.
fail_with() { cat "$1"; shift; fail "$@"; }
skip() { printf '%s: skipped: %s\n' "$(basename "$0")" "$*"; exit 0; }

# Runs the script again in namespaces of its own, and exits as it does. Whatever it starts ends with
# it, even if it is killed. The first argument is the program to test, the others are programs that
# the script needs.
run_in_sandbox() {
  local program tollgate
  tollgate=$(realpath "${1:-$here/../../target/debug/tollgate}")
  shift
  [ -x "$tollgate" ] || fail "no program at $tollgate; run cargo build first"
  for program in setpriv unshare ip "$@"; do
    command -v "$program" >/dev/null || skip "no $program on the PATH"
  done
  [ "$(id -u)" = 0 ] || skip "needs root"
  unshare --pid --net --mount --fork --mount-proc true 2>/dev/null || skip "this machine allows no namespaces"
  setpriv --pdeathsig KILL unshare --pid --net --mount --fork --kill-child --mount-proc bash "$0" inside "$tollgate" &
  sandbox=$!
  trap 'kill -KILL "$sandbox" 2>/dev/null; exit 1' HUP INT TERM
  wait "$sandbox"
  exit
}

# Gives the sandbox a folder in memory, a network of its own, and only the variables that it needs.
enter_sandbox() {
  local name
  work=/mnt
  mount -t tmpfs tollgate-tests "$work"
  chmod 755 "$work"
  cd "$work"
  ip link set lo up
  # getaddrinfo with AI_ADDRCONFIG, as Slurm uses it, ignores loopback addresses.
  ip address add 192.0.2.1/32 dev lo
  for name in DATABASE_URL $(compgen -v GITHUB_ || true) $(compgen -v PG || true) $(compgen -v SLURM_ || true) \
    $(compgen -v SBATCH_ || true) $(compgen -v TOLLGATE_ | grep -v '^TOLLGATE_TESTS_' || true); do
    unset "$name"
  done
  mkdir bin
  ln -s "$tollgate" bin/tollgate
  export PATH=$work/bin:$PATH HOME=$work TMPDIR=$work TOLLGATE_REPORT=none
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

# Starts the rehearsal target, and sets TOLLGATE_TARGET to its address.
start_target() {
  "$tollgate" target --listen 127.0.0.1:0 --arrival-log "$work/arrivals.tsv" >"$work/target.log" 2>&1 &
  target=$!
  wait_for "the rehearsal target" grep -q '^listening on ' "$work/target.log" || fail_with "$work/target.log" "no target"
  TOLLGATE_TARGET=$(sed -n 's/^listening on //p' "$work/target.log")
  export TOLLGATE_TARGET
}

# How many requests the target has received. It writes its log every half second. So this sends a
# marker request, waits until the log has it, and leaves it out of the count.
count_requests() {
  local marker="/counted?$BASHPID-$RANDOM" address=${TOLLGATE_TARGET#http://} socket
  exec {socket}<>"/dev/tcp/${address/://}"
  printf 'GET %s HTTP/1.0\r\n\r\n' "$marker" >&"$socket"
  cat <&"$socket" >"$work/counted"
  exec {socket}>&-
  wait_for "the target's log" grep -qF "$marker" "$work/arrivals.tsv" || fail_with "$work/target.log" "no log"
  grep -vc '/counted?' "$work/arrivals.tsv"
}

# Writes shop.toml, which two machines can share and which passes after two seconds.
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
duration = "2s"
connections = 40

[[request]]
name = "plain"
path = "/plain"
END
}

# Starts PostgreSQL in a folder of its own, as its user, and sets DATABASE_URL. Fails if there is no
# such program.
start_postgres() {
  local folder programs='' port=${1:-5432}
  for folder in ${TOLLGATE_TESTS_PG_BIN:+"$TOLLGATE_TESTS_PG_BIN"} /usr/lib/postgresql/*/bin; do
    [ ! -x "$folder/postgres" ] || programs=$folder
  done
  [ -n "$programs" ] || return 1
  mkdir "$work/postgres"
  chown postgres "$work/postgres"
  runuser -u postgres -- "$programs/initdb" --pgdata="$work/postgres/data" --username=tollgate --auth=trust \
    --no-sync >"$work/initdb.log" 2>&1 || fail_with "$work/initdb.log" "initdb fails"
  runuser -u postgres -- "$programs/postgres" -D "$work/postgres/data" -k "$work/postgres" -p "$port" \
    -c listen_addresses=127.0.0.1 -c fsync=off >"$work/postgres.log" 2>&1 &
  postgres=$!
  export DATABASE_URL="postgres://tollgate@127.0.0.1:$port/postgres?sslmode=disable"
  wait_for "PostgreSQL" "$tollgate" db migrate >"$work/migrate.log" 2>&1 || fail_with "$work/postgres.log" "no database"
}
