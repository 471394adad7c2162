"""The texts on Pyro 4 or 5.

    pyro.py Pyro4|Pyro5 serve       serves them on a free loopback port, and prints the object's URI
    pyro.py Pyro4|Pyro5 call URI    makes the calls that each line of JSON asks for, and answers with a line of JSON
"""

import json
import sys
import time

if sys.argv[1] == "Pyro4":
    import Pyro4 as pyro

    new_batch = pyro.batch
else:
    import Pyro5.api as pyro

    new_batch = pyro.BatchProxy


@pyro.expose
class Texts:
    def length(self, text):
        return len(text)


def serve():
    daemon = pyro.Daemon(host="127.0.0.1", port=0)
    print(daemon.register(Texts), flush=True)
    daemon.requestLoop()


def call(uri):
    with pyro.Proxy(uri) as texts:
        for line in sys.stdin:
            asked = json.loads(line)
            text = "x" * asked["length"]
            lengths = []
            begin = time.perf_counter()
            while len(lengths) < asked["calls"]:
                if asked["atOnce"] == 1:
                    lengths.append(texts.length(text))
                else:
                    batch = new_batch(texts)
                    for _ in range(min(asked["atOnce"], asked["calls"] - len(lengths))):
                        batch.length(text)
                    lengths.extend(batch())
            ms = 1_000 * (time.perf_counter() - begin)
            print(json.dumps({"ms": ms, "lengths": lengths}), flush=True)


if sys.argv[2] == "serve":
    serve()
else:
    call(sys.argv[3])
