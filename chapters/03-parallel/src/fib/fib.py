"""The same Fibonacci number k times on Python's threads and on its processes; prints the times as JSON.

Arguments: n, and the numbers of tasks, as in `20 1 2 4`. For each k it starts k threads, and a pool of k processes that
is warm before the clock starts.
"""

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from threading import Thread


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def timed(work):
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def on_threads(n, k):
    threads = [Thread(target=fib, args=(n,)) for _ in range(k)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    n, *counts = map(int, sys.argv[1:])
    fib(n)
    results = []
    for k in counts:
        with ProcessPoolExecutor(k) as pool:
            list(pool.map(fib, [1] * 4 * k))
            times = [
                (timed(lambda: fib(n)), timed(lambda: on_threads(n, k)), timed(lambda: list(pool.map(fib, [n] * k))))
                for _ in range(3)
            ]
        one, threads, processes = (sorted(column)[1] for column in zip(*times))
        results.append({"k": k, "oneMs": one, "threadsMs": threads, "processesMs": processes})
    print(json.dumps({"version": sys.version.split()[0], "results": results}))
