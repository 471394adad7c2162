"""Computes the same Fibonacci number k times at once, on threads and on processes. Prints the times as JSON.

Arguments: n, then each k, as in `20 1 2 4`. The threads start within the measured time; the pool of k processes is warm
before it.
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
