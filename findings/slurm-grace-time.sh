#!/usr/bin/env bash
# Slurm 22.05.8 (Debian 12: slurmctld, slurmd and slurm-client 22.05.8-4+deb12u3, munge 0.5.15-2): a preempted job that
# saves its work and ends, as it was asked to, has failed, and one that does not listen is put back into the queue.
#
# Guess, written down before: a job that is submitted with --requeue, in a partition with PreemptMode=REQUEUE and a
# GraceTime, goes back into the queue when another one takes its place, whether it ends within the grace time or is
# ended after it; so a program that keeps its state on SIGTERM and ends is all that preemption needs.
# Seen: at the beginning of the grace time the steps get SIGTERM, and the job goes on as a running one. Its end within
# that time is the end of a job like any other: COMPLETED, or FAILED with the exit code of its script, and it is not put
# back. Only at the end of the grace time does Slurm requeue what still runs.
# Who ends on SIGTERM asks for it in the job script: `scontrol requeue "$SLURM_JOB_ID"` after that exit code.
#
# Starts a cluster of one node from packages that it unpacks into a temporary folder, with two jobs that another one
# preempts, and prints what became of them; fails if that changes. Needs apt-get and dpkg of Debian 12 (amd64), and the
# libraries that these packages stand on, which are downloaded too. Takes a minute.
set -euo pipefail
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; sleep 1; rm -rf "$work"' EXIT
cd "$work"

slurm=22.05.8-4+deb12u3
apt-get download --quiet --quiet "slurmctld=$slurm" "slurmd=$slurm" "slurm-client=$slurm" \
    "slurm-wlm-basic-plugins=$slurm" munge libmunge2 libhwloc15 libfreeipmi17 librrd8 libpmix2 2>/dev/null
mkdir root
for package in *.deb; do dpkg-deb --extract "$package" root; done
libraries=root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH="$work/$libraries:$work/$libraries/slurm-wlm"
export PATH="$work/root/usr/bin:$work/root/usr/sbin:$PATH"

head -c 1024 /dev/urandom >munge.key
chmod 400 munge.key
chmod 755 "$work"
munged --foreground --force --socket="$work/munge" --key-file="$work/munge.key" --pid-file="$work/munge.pid" \
    --seed-file="$work/munge.seed" --log-file="$work/munge.log" 2>munged.log &
pids+=($!)

host=$(hostname -s)
mkdir state spool
cat >slurm.conf <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=28617
SlurmdPort=28618
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthInfo=socket=$work/munge
PluginDir=$work/$libraries/slurm-wlm
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=2
PartitionName=low Nodes=$host Default=YES PriorityTier=1 GraceTime=10
PartitionName=high Nodes=$host PriorityTier=10 PreemptMode=OFF
CONF
export SLURM_CONF="$work/slurm.conf"
slurmctld-wlm -D >slurmctld.log 2>&1 &
pids+=($!)
slurmd-wlm -D -d "$work/root/usr/sbin/slurmstepd-wlm" >slurmd.log 2>&1 &
pids+=($!)
for _ in $(seq 60); do
    [[ $(sinfo --noheader --partition low --format %T 2>/dev/null) == idle ]] && break
    sleep 1
done

# A job whose program does something on SIGTERM.
job() {
    sbatch --parsable --requeue --ntasks=1 --output="$1.out" <<SCRIPT
#!/bin/sh
srun sh -c 'trap "$2" TERM; touch "$work/$1.started"; i=0; while [ \$i -lt 600 ]; do sleep 0.2; i=\$((i + 1)); done'
SCRIPT
}
ends=$(job ends "exit 143")
stays=$(job stays ":")
for _ in $(seq 60); do
    [[ -e ends.started && -e stays.started ]] && break
    sleep 1
done
sbatch --quiet --partition=high --ntasks=2 --output=/dev/null --wait --wrap "sleep 1"

field() { scontrol show job "$1" | grep --only-matching "$2=[^ ]*" | cut -d= -f2; }
seen="ends by itself: $(field "$ends" JobState), exit code $(field "$ends" ExitCode), restarts $(field "$ends" Restarts);"
seen+=" stays: $(field "$stays" JobState), restarts $(field "$stays" Restarts)"
echo "$seen"
[[ $seen == "ends by itself: FAILED, exit code 143:0, restarts 0; stays: PENDING, restarts 1" ]] || { echo changed; exit 1; }
