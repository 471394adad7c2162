"""Celery, RQ and Pyro: the work of tasks.ts done by the real libraries.

    peers.py work rq|rq-simple|pyro       a worker, until it is killed (Celery's: celery -A peers worker)
    peers.py many|one|naps|slow PEER …    a client: measures once and prints how long it took, as JSON

REDIS_URL is the Redis, QUEUE the name of the queue, PYRO_URI the Pyro object.
"""
import json
import os
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

REDIS_URL = os.environ.get("REDIS_URL", "")
QUEUE = os.environ.get("QUEUE", "")
PEER = sys.argv[2] if len(sys.argv) > 2 and sys.argv[0].endswith("peers.py") else "celery"


def add(a, b):
    return a + b


def nap(ms):
    time.sleep(ms / 1000)
    return ms


def slow(file, ms):
    with open(file, "a") as notes:
        notes.write(f"{os.getpid()} {os.getppid()}\n")
    with open(file) as notes:
        begun = len(notes.readlines())
    time.sleep(60 if begun == 1 else ms / 1000)
    return ms


TASKS = {"add": add, "nap": nap, "slow": slow}


def new_id():
    """
    Becomes part of a key's name. The queue's name in it lets the clean-up find the key. Since version 2.2, RQ accepts
    only letters, digits, underscores and dashes.
    """
    return f"{QUEUE}-{uuid.uuid4()}"


class CeleryPeer:
    def __init__(self):
        from celery import Celery
        from celery.signals import worker_ready

        self.app = Celery("peers", broker=REDIS_URL, backend=REDIS_URL)
        self.app.conf.update(
            task_default_queue=QUEUE,
            task_serializer="json",
            accept_content=["json"],
            result_expires=60,
            worker_redirect_stdouts=False,
            # A task belongs to its worker until it is done, and a dead worker's task is given to another after 3 s.
            task_acks_late=True,
            broker_transport_options={"visibility_timeout": 3, "global_keyprefix": f"{QUEUE}:"},
        )
        self.tasks = {name: self.app.task(name=name)(function) for name, function in TASKS.items()}
        worker_ready.connect(lambda **_: print("ready", flush=True), weak=False)

    def call(self, task, args_lists):
        sent = [self.tasks[task].apply_async(args, task_id=new_id()) for args in args_lists]
        results = [result.get(interval=0.001) for result in sent]
        for result in sent:
            result.forget()
        return results


class RQPeer:
    def __init__(self, simple=False):
        import redis
        import rq

        self.rq, self.simple = rq, simple
        self.redis = redis.Redis.from_url(REDIS_URL)
        self.queue = rq.Queue(QUEUE, connection=self.redis)

    def work(self):
        worker = (self.rq.SimpleWorker if self.simple else self.rq.Worker)([self.queue], name=new_id(), connection=self.redis)
        print("ready", flush=True)
        worker.work(logging_level="ERROR")

    def call(self, task, args_lists):
        prepare = lambda args: self.rq.Queue.prepare_data(
            f"peers.{task}", args, result_ttl=600, job_id=new_id()
        )
        finished = self.rq.registry.FinishedJobRegistry(queue=self.queue)
        before = self.redis.zcard(finished.key)
        jobs = self.queue.enqueue_many([prepare(args) for args in args_lists])
        if len(jobs) == 1:
            while jobs[0].get_status() not in ("finished", "failed"):
                time.sleep(0.001)
        # An empty queue says nothing: for a moment a job is neither in it nor among the started ones.
        while self.redis.zcard(finished.key) < before + len(jobs):
            time.sleep(0.005)
        return [job.return_value() for job in self.rq.job.Job.fetch_many([job.id for job in jobs], connection=self.redis)]


class PyroPeer:
    def __init__(self):
        import Pyro4

        self.Pyro4 = Pyro4

    def work(self):
        exposed = type("Tasks", (), {name: staticmethod(function) for name, function in TASKS.items()})
        # Each waiting call takes a thread of the daemon; the default is 40.
        self.Pyro4.config.THREADPOOL_SIZE = 200
        daemon = self.Pyro4.Daemon(host="127.0.0.1", port=0)
        print(daemon.register(self.Pyro4.expose(exposed)), flush=True)
        daemon.requestLoop()

    def call(self, task, args_lists):
        if not hasattr(self, "proxies"):
            self.proxies = [self.Pyro4.Proxy(os.environ["PYRO_URI"]) for _ in range(100)]
            self.first = self.proxies[0]
        if len(args_lists) == 1:
            return [getattr(self.first, task)(*args_lists[0])]
        if task == "nap":
            # A thread and a connection for each call that waits.
            with ThreadPoolExecutor(len(self.proxies)) as threads:
                return list(threads.map(self.in_thread, range(len(args_lists)), [task] * len(args_lists), args_lists))
        results = []
        for at in range(0, len(args_lists), 1000):
            batch = self.Pyro4.batch(self.first)
            for args in args_lists[at : at + 1000]:
                getattr(batch, task)(*args)
            results.extend(batch())
        return results

    def in_thread(self, at, task, args):
        proxy = self.proxies[at % len(self.proxies)]
        return getattr(proxy, task)(*args)


PEERS = {"celery": CeleryPeer, "rq": RQPeer, "rq-simple": lambda: RQPeer(simple=True), "pyro": PyroPeer}
if PEER == "celery":
    peer = CeleryPeer()
    app = peer.app


def measure(what, numbers):
    if what == "many":
        (count,) = numbers
        args = [(at, 1) for at in range(int(count))]
        peer.call("add", [(0, 0)])
        start = time.perf_counter()
        results = peer.call("add", args)
        ms = (time.perf_counter() - start) * 1000
        assert results == [at + 1 for at in range(int(count))], "wrong results"
        return {"ms": ms}
    if what == "one":
        (budget_ms,) = numbers
        peer.call("add", [(0, 0)])
        samples, end = [], time.perf_counter() + float(budget_ms) / 1000
        while time.perf_counter() < end:
            start = time.perf_counter()
            assert peer.call("add", [(1, 2)]) == [3]
            samples.append((time.perf_counter() - start) * 1000)
        return {"samples": samples}
    if what == "naps":
        count, ms = map(int, numbers)
        peer.call("nap", [(1,)] * count)
        start = time.perf_counter()
        assert peer.call("nap", [(ms,)] * count) == [ms] * count
        return {"ms": (time.perf_counter() - start) * 1000}
    file, ms = numbers
    return {"result": peer.call("slow", [(file, int(ms))])[0]}


if __name__ == "__main__":
    peer = peer if PEER == "celery" else PEERS[PEER]()
    if sys.argv[1] == "work":
        peer.work()
    else:
        print(json.dumps(measure(sys.argv[1], sys.argv[3:])))
