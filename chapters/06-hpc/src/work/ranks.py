"""ranks.program.ts with Open MPI: ranks.py LAPS LENGTH. Rank 0 prints the results as JSON."""
import json
import sys
import time
from array import array

from mpi4py import MPI

world = MPI.COMM_WORLD
rank, size = world.Get_rank(), world.Get_size()
laps, length = int(sys.argv[1]), int(sys.argv[2])


def pass_around(laps):
    message = bytearray(8)
    start = time.perf_counter()
    for _ in range(laps):
        if rank == 0:
            world.Send(message, dest=(rank + 1) % size)
        world.Recv(message, source=(rank - 1) % size)
        if rank != 0:
            world.Send(message, dest=(rank + 1) % size)
    return (time.perf_counter() - start) * 1e6 / (laps * size)


pass_around(200)
hop_us = pass_around(laps)

times = []
for turn in range(6):
    vector = array('d', ((rank + 1) * (at % 1000) for at in range(length)))
    total = array('d', bytes(8 * length))
    world.Barrier()
    start = time.perf_counter()
    world.Allreduce([vector, MPI.DOUBLE], [total, MPI.DOUBLE], MPI.SUM)
    if turn > 0:
        times.append((time.perf_counter() - start) * 1000)
if rank == 0:
    nodes = [MPI.Get_processor_name()]
    print(json.dumps({'size': size, 'nodes': nodes, 'hopUs': hop_us, 'reduceMs': sorted(times)[len(times) // 2], 'sum': sum(total)}))
