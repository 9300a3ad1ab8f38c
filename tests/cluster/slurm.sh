#!/usr/bin/env bash
# A real Slurm of one node on this machine, without systemd or cgroups, for as long as stdin is open:
#
#   slurm.sh         install Debian's packages if they are missing, start, print "ready" when jobs
#                    can be submitted, and when stdin ends cancel all jobs and stop every daemon
#
# Root only; not for production: all runs as root. Its configuration has to lie in /etc/slurm, since the
# plugin takes SLURM_CONF out of the environment of its jobs; what is there of others is refused.
# It has partitions `cpu` and `gpu`, 8 CPUs, 64 GB and 2 GPUs, whatever the machine has (GPUs are /dev/null).
set -euo pipefail

DIR=/run/weightspace-slurm
HOST=$(hostname -s)
CONF=/etc/slurm
FILES=(slurm.conf cgroup.conf gres.conf)
MARK="# written by tests/cluster/slurm.sh"

die() { printf 'slurm.sh: error: %s\n' "$*" >&2; exit 1; }

# Is the process of pid file $1 called $2? A pid that was given to another must not be signalled.
alive() { [ -s "$1" ] && [ "$(cat "/proc/$(cat "$1")/comm" 2>/dev/null)" = "$2" ]; }

stop_daemon() {
  local file=$DIR/run/$1.pid pid
  alive "$file" "$1" || return 0
  pid=$(cat "$file")
  kill -TERM "$pid" 2>/dev/null || true
  for _ in {1..100}; do [ -d "/proc/$pid" ] || return 0; sleep 0.1; done
  kill -KILL "$pid" 2>/dev/null || true
}

stop() {
  if alive "$DIR/run/slurmctld.pid" slurmctld; then
    timeout 10 scancel --quiet --user root || true
    for _ in {1..80}; do [ -z "$(timeout 5 squeue --noheader 2>/dev/null)" ] && break; sleep 0.1; done
  fi
  for daemon in slurmd slurmctld munged; do stop_daemon "$daemon"; done
  for file in "${FILES[@]}"; do
    if grep -qsxF "$MARK" "$CONF/$file"; then rm -f "$CONF/$file"; fi
  done
}

wait_for() {
  local seconds=$1
  shift
  for ((i = 0; i < seconds * 10; i++)); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done
  die "$* failed for $seconds s: $(tail -n 5 "$DIR"/log/*)"
}

install_packages() {
  command -v munged slurmctld slurmd squeue >/dev/null && return
  local guard=/usr/sbin/policy-rc.d
  if [ ! -e $guard ]; then  # without an init, packages must not start their services
    printf '#!/bin/sh\nexit 101\n' >$guard
    chmod +x $guard
    trap 'rm -f /usr/sbin/policy-rc.d; stop' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null
  apt-get install -y -qq --no-install-recommends slurm-wlm munge procps >/dev/null
}

write_config() {
  for file in "${FILES[@]}"; do
    [ ! -e "$CONF/$file" ] || die "$CONF/$file is of another Slurm, which this would disturb"
  done
  mkdir -p "$CONF" "$DIR"/{state,spool,log,run,dev}
  chmod 755 "$DIR" "$DIR"/*
  (umask 077 && head -c 1024 /dev/urandom >"$DIR/munge.key")
  getent hosts "$HOST" >/dev/null || echo "127.0.0.1 $HOST" >>/etc/hosts
  for i in 0 1; do ln -sf /dev/null "$DIR/dev/gpu$i"; done
  cat >"$CONF/slurm.conf" <<CONF
$MARK
ClusterName=local
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$DIR/run/munge.socket
# No cgroups, no task plugin: works in unprivileged and nested containers.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
PropagateResourceLimits=NONE
# Cores and memory are consumable; a job over its memory is killed by the sampler.
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
DefMemPerCPU=256
# React quickly.
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
KillWait=3
MinJobAge=3600
ReturnToService=2
SlurmctldPidFile=$DIR/run/slurmctld.pid
SlurmdPidFile=$DIR/run/slurmd.pid
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd.log
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes=$HOST Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=$HOST Default=NO MaxTime=INFINITE State=UP
CONF
  # slurmd loads a cgroup plugin even when nothing uses it; v2 and the default fail where there are none.
  printf '%s\nCgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' "$MARK" >"$CONF/cgroup.conf"
  printf '%s\nNodeName=%s Name=gpu File=%s\n' "$MARK" "$HOST" "$DIR/dev/gpu0,$DIR/dev/gpu1" >"$CONF/gres.conf"
}

start() {
  # --force: tolerate the group-writable / of some container images.
  munged --force --socket="$DIR/run/munge.socket" --key-file="$DIR/munge.key" \
    --pid-file="$DIR/run/munged.pid" --log-file="$DIR/log/munged.log" \
    --seed-file="$DIR/state/munged.seed"
  slurmctld
  wait_for 30 scontrol ping
  slurmd
  wait_for 30 eval "sinfo --noheader --Node --format=%T | grep -qx idle"
}

[ "$(id -u)" = 0 ] || die "run as root"
exec 9>/run/lock/weightspace-slurm  # its ports are fixed: one at a time
flock 9
trap stop EXIT
trap 'exit 143' HUP INT TERM
stop  # what a run that was killed has left
rm -rf "$DIR"
install_packages
write_config
start >&2 9>&-
echo ready
read -r _ || true
