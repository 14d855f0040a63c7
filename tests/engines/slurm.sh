#!/usr/bin/env bash
# Runs what `tollgate fleet print slurm` prints on a real Slurm of one node, against the rehearsal
# target: both jobs, their verdict, and a second start of a shard, which must send nothing.
# Usage: tests/engines/slurm.sh [TOLLGATE]; the program is target/debug/tollgate if none is named.
# Needs root, and Debian's slurmctld, slurmd, slurm-client, munge and iproute2. Everything runs in
# namespaces of its own, with its files in memory: when this script ends, however it ends, nothing
# is left.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
source "$here/support.sh"

[ "${1:-}" = inside ] || run_in_sandbox "${1:-}" munged slurmctld slurmd sbatch scontrol
tollgate=$2
enter_sandbox

# Starts Slurm: the authentication, the controller and one node with as many processors as the jobs
# need. Nothing of it is configured outside this folder.
start_slurm() {
  mkdir -m 700 munge state spool
  head -c 128 /dev/urandom >munge/key
  chmod 600 munge/key
  munged --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
    --log-file="$work/munge/log" --seed-file="$work/munge/seed" --force --foreground >munged.out 2>&1 &
  # The plug-ins for cgroups need rights that a container does not have.
  echo 'CgroupAutomount=no' >cgroup.conf
  cat >slurm.conf <<END
ClusterName=tollgate
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmUser=root
AuthInfo=socket=$work/munge/socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MailProg=/bin/true
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,sched_interval=1
NodeName=shards NodeHostname=$(hostname) NodeAddr=127.0.0.1 CPUs=8 State=UNKNOWN
PartitionName=load Nodes=ALL Default=YES State=UP
END
  export SLURM_CONF=$work/slurm.conf
  wait_for "munged" test -S munge/socket
  slurmctld -D >slurmctld.out 2>&1 &
  slurmd -D -N shards >slurmd.out 2>&1 &
  wait_for "a node of Slurm" is_idle || { tail -n 30 slurmctld.log slurmd.log; exit 1; }
}

is_idle() { [ "$(timeout 2 sinfo --noheader --format=%T 2>/dev/null)" = idle ]; }

# The states of all jobs of a name, one a line.
states() { scontrol --oneliner show job 2>/dev/null | sed -n "s/.* JobName=$1 .* JobState=\([A-Z]*\) .*ExitCode=\([0-9]*\):.*/\1 \2/p"; }
has_ended() { ! states "$1" | grep -qv '^\(COMPLETED\|FAILED\|CANCELLED\|TIMEOUT\) '; }

# Runs a printed script and checks its exit code, the verdict, and that each shard exits with 0.
run_script() {
  local script=$1 name=$2 expected=$3 verdict=$4 code=0
  sh "$script" >"$script.log" 2>&1 || code=$?
  [ "$code" = "$expected" ] && grep -q "$verdict" "$script.log" || {
    tail -n +1 reports/slurm/*.log
    fail_with "$script.log" "$script exits with $code instead of $expected, or does not say $verdict"
  }
  [ "$(states "$name")" = $'COMPLETED 0\nCOMPLETED 0' ] || {
    scontrol show job
    fail_with "$script.log" "the shards of $script do not exit with 0"
  }
}

# Starts the shards of a script a second time, as Slurm does after the loss of a node.
start_again() {
  local name=$1 before after job
  before=$(count_requests)
  job=$(squeue --noheader --states=all --array --name="$name" --format=%F | head -n 1)
  scontrol requeue "$job"
  # Slurm would wait for two minutes.
  scontrol update "JobId=$job" StartTime=now
  wait_for "the second start" has_ended "$name" || { scontrol show job "$job"; tail -n 20 slurmctld.log; exit 1; }
  [ "$(grep -l 'so no request was sent' reports/slurm/"$name"-*.log | wc -l)" = 2 ] || {
    tail -n +1 reports/slurm/"$name"-*.log
    fail "a shard of $name does not say that it sends nothing"
  }
  after=$(count_requests)
  [ "$before" = "$after" ] || {
    tail -n +1 reports/slurm/"$name"-*.log
    fail "the second start of $name sends $((after - before)) requests"
  }
}

start_slurm
start_target
write_scenario
"$tollgate" fleet print slurm shop.toml --shards 2 --name fixed --without-store --start-in 6s >fixed.sh
# sbatch --wait looks after 2, 10 and 42 s: both verdicts should be there after 10.
run_script fixed.sh fixed 0 PASS &
fixed=$!
if start_postgres; then
  "$tollgate" fleet print slurm shop.toml --shards 2 --name stored -- --budget 'p90 < 1us' --lead 5s >stored.sh
  run_script stored.sh stored 1 FAIL
fi
wait "$fixed" || exit 1
start_again fixed
echo "Slurm: two shards without a store pass, exit with 0, and send nothing when they start again"

# A signal to the script cancels the load and the merge.
"$tollgate" fleet print slurm shop.toml --shards 2 --name cancelled --without-store --start-in 60s >cancelled.sh
sh cancelled.sh >cancelled.log 2>&1 &
script=$!
wait_for "the submission" grep -q "The load is job" cancelled.log
has_merge() { squeue --noheader --states=all --format=%j | grep -q '^cancelled-.*-merge$'; }
wait_for "the submission of the merge" has_merge
kill -TERM "$script"
code=0
wait "$script" || code=$?
[ "$code" = 3 ] || fail_with cancelled.log "a cancelled script exits with $code instead of 3"
wait_for "the end of the cancelled jobs" has_ended 'cancelled[^ ]*'
[ -n "$(states 'cancelled[^ ]*')" ] || fail "Slurm lists no cancelled job"
! states 'cancelled[^ ]*' | grep -v '^CANCELLED ' || fail "a job of a cancelled script was not cancelled"
echo "Slurm: a signal to the script cancels the load and the merge"

[ -n "${DATABASE_URL:-}" ] || { echo "Slurm: no PostgreSQL: skipped the shards that meet in a database"; exit 0; }
start_again stored
echo "Slurm: two shards that meet in PostgreSQL fail as one, exit with 0, and send nothing when they start again"
