"""The Exchange of chapter 4 on Pyro 4 or 5, to compare with.

    pyro.py Pyro4|Pyro5 serve FOLDER       serves it on a free loopback port, and prints the object's URI
    pyro.py Pyro4|Pyro5 call URI COUNT     asks for COUNT rates one after the other, then in batches, and prints both
                                           rates of calls
"""

import json
import sys
import time
from pathlib import Path

if sys.argv[1] == "Pyro4":
    import Pyro4 as pyro

    new_batch = pyro.batch
else:
    import Pyro5.api as pyro

    new_batch = pyro.BatchProxy

BATCH = 1000


@pyro.expose
@pyro.behavior(instance_mode="single")
class Exchange:
    folder = Path()
    days = {}

    def rate(self, source, target):
        if source not in self.days:
            self.days[source] = json.loads((self.folder / f"{source}.json").read_text())
        day = self.days[source]
        return {"from": source, "to": target, "date": day["date"], "rate": day[source][target]}


def serve(folder):
    Exchange.folder = Path(folder)
    daemon = pyro.Daemon(host="127.0.0.1", port=0)
    print(daemon.register(Exchange), flush=True)
    daemon.requestLoop()


def call(uri, count):
    with pyro.Proxy(uri) as exchange:
        for _ in range(200):
            rate = exchange.rate("usd", "eur")
        start = time.perf_counter()
        for _ in range(count):
            exchange.rate("usd", "eur")
        sequential = time.perf_counter() - start
        start = time.perf_counter()
        for _ in range(count // BATCH):
            batch = new_batch(exchange)
            for _ in range(BATCH):
                batch.rate("usd", "eur")
            for _ in batch():
                pass
        batched = time.perf_counter() - start
    calls = count // BATCH * BATCH
    print(json.dumps({"rate": rate, "sequentialPerSecond": count / sequential, "batchPerSecond": calls / batched}))


if sys.argv[2] == "serve":
    serve(sys.argv[3])
else:
    call(sys.argv[3], int(sys.argv[4]))
