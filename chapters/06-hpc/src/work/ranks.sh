#!/bin/sh
# The job of the ranks example: launches our ranks and Open MPI's in turn. Each launch leaves its result in a file.
# RANKS, ROUNDS, LAPS, LENGTH, STEPS, HOST and NODE come from the environment, and SAME_MACHINE if all nodes are one
# machine.

# Starts the ranks with srun on Slurm; otherwise with mpirun, which starts any program; otherwise one by one on this
# node.
launch() {
  if [ -n "$SLURM_JOB_ID" ] && command -v srun >/dev/null; then srun -n "$RANKS" "$@"
  elif command -v mpirun >/dev/null; then mpirun $local -n "$RANKS" "$@"
  else
    rank=0 ranks=
    while [ "$rank" -lt "$RANKS" ]; do RANK=$rank SIZE=$RANKS "$@" & ranks="$ranks $!" rank=$((rank + 1)); done
    # One by one, because waiting for all of them at once does not return their exit codes.
    for rank in $ranks; do wait "$rank" || return 1; done
  fi
}

# mpirun cannot reach nodes that are only names of one machine.
if [ -n "$SAME_MACHINE" ]; then local='--mca ras ^slurm,tm --mca plm ^slurm,tm --oversubscribe'; fi
# Open MPI refuses to run as root unless told that this is intended.
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
for each in python3 /usr/bin/python3; do
  if "$each" -c 'import mpi4py' 2>/dev/null; then python=$each; break; fi
done
command -v mpirun >/dev/null || python=

round=1
while [ "$round" -le "$ROUNDS" ]; do
  # A restarted job would find the old addresses of its ranks.
  rm -rf "peers.$round"
  launch "$NODE" ranks.mjs "peers.$round" "$HOST" "$LAPS" "$LENGTH" "$STEPS" >"ours.$round.json" || exit 1
  if [ -n "$python" ]; then
    mpirun $local --mca btl tcp,self -n "$RANKS" "$python" ranks.py "$LAPS" "$LENGTH" >"tcp.$round.json" || exit 1
    mpirun $local -n "$RANKS" "$python" ranks.py "$LAPS" "$LENGTH" >"mpi.$round.json" || exit 1
  fi
  round=$((round + 1))
done
