#!/bin/sh
# The job of the ranks example, in its folder: our ranks and Open MPI's in turn, each launch's result in a file of its own.
# RANKS, ROUNDS, LAPS, LENGTH, HOST and NODE come from the job's environment; SAME_MACHINE when all nodes are one machine.

# By the scheduler where it starts ranks itself; else by mpirun, which starts any program; else one by one, here.
launch() {
  if [ -n "$SLURM_JOB_ID" ] && command -v srun >/dev/null; then srun -n "$RANKS" "$@"
  elif command -v mpirun >/dev/null; then mpirun $local -n "$RANKS" "$@"
  else
    rank=0 ranks=
    while [ "$rank" -lt "$RANKS" ]; do RANK=$rank SIZE=$RANKS "$@" & ranks="$ranks $!" rank=$((rank + 1)); done
    # Of all at once, wait would not say how they ended.
    for rank in $ranks; do wait "$rank" || return 1; done
  fi
}

# Nodes that are names of one machine cannot be reached by mpirun under these names.
if [ -n "$SAME_MACHINE" ]; then local='--mca ras ^slurm,tm --mca plm ^slurm,tm --oversubscribe'; fi
# Open MPI warns of root for machines that are somebody's; here root is who the reader is.
if [ "$(id -u)" = 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
for each in python3 /usr/bin/python3; do
  if "$each" -c 'import mpi4py' 2>/dev/null; then python=$each; break; fi
done
command -v mpirun >/dev/null || python=

round=1
while [ "$round" -le "$ROUNDS" ]; do
  # A job that is begun again would find where its ranks were the first time.
  rm -rf "peers.$round"
  launch "$NODE" ranks.mjs "peers.$round" "$HOST" "$LAPS" "$LENGTH" >"ours.$round.json" || exit 1
  if [ -n "$python" ]; then
    mpirun $local --mca btl tcp,self -n "$RANKS" "$python" ranks.py "$LAPS" "$LENGTH" >"tcp.$round.json" || exit 1
    mpirun $local -n "$RANKS" "$python" ranks.py "$LAPS" "$LENGTH" >"mpi.$round.json" || exit 1
  fi
  round=$((round + 1))
done
