"""Celery and RQ as engines of the drill.

    peers.py client celery|rq     reads {"send": [...]} and {"left": true} from standard input, a question on each line
    peers.py work rq PROCESSES    a worker, until it is killed (Celery's: celery -A peers worker)

REDIS_URL is the Redis, QUEUE the name of the queue, LEDGER_URL the Redis where the jobs book.
"""

import json
import os
import sys
import time

import redis

REDIS_URL = os.environ.get("REDIS_URL", "")
LEDGER_URL = os.environ.get("LEDGER_URL", "")
QUEUE = os.environ.get("QUEUE", "")
LEASE_S = int(os.environ.get("LEASE_MS", "2000")) / 1000

# The booking and the note that it was made are one step.
ONCE = """
if redis.call('SET', KEYS[1], '1', 'NX') then
  redis.call('INCRBY', KEYS[2], ARGV[1])
  redis.call('HINCRBY', KEYS[3], ARGV[2], 1)
end"""

ledger = None


def say(*words):
    # One write for each line: several processes share the pipe.
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def job(job, ledger_prefix=None):
    """What chapter 4's bookIn does, with the same amounts and the same work (src/drill/ledger.ts)."""
    global ledger
    if ledger_prefix is not None:
        say("begun", ledger_prefix, job)
        if ledger is None:
            ledger = redis.Redis.from_url(LEDGER_URL)
        keys = [f"{ledger_prefix}:done:{job}", f"{ledger_prefix}:sum", f"{ledger_prefix}:bookings"]
        time.sleep((1 + job * 7 % 20) / 1000)
        ledger.hincrby(f"{ledger_prefix}:careless", job, 1)
        ledger.eval(ONCE, 3, *keys, 1 + job % 97, job)
        time.sleep((1 + job * 13 % 20) / 1000)
    say("done", ledger_prefix or "-", job)


class CeleryPeer:
    def __init__(self):
        from celery import Celery
        from celery.signals import worker_ready

        self.app = Celery("peers", broker=REDIS_URL)
        self.app.conf.update(
            task_default_queue=QUEUE,
            task_ignore_result=True,
            worker_redirect_stdouts=False,
            worker_prefetch_multiplier=1,
            # A job belongs to its worker until it is done, and a dead worker's job is given to another one.
            task_acks_late=True,
            task_reject_on_worker_lost=True,
            broker_transport_options={
                "visibility_timeout": LEASE_S,
                # It looks for such jobs so often (in seconds; every time); by default every 100 s.
                "unacked_restore_interval": 1,
                "unacked_restore_throttle": 1,
            },
            broker_connection_retry_on_startup=True,
        )
        self.task = self.app.task(name="job")(job)
        self.redis = redis.Redis.from_url(REDIS_URL)
        worker_ready.connect(lambda **_: say("ready"), weak=False)

    def send(self, jobs):
        with self.app.producer_pool.acquire(block=True) as producer:
            for each in jobs:
                self.task.apply_async((each["job"], each.get("ledger")), producer=producer)

    def left(self):
        return self.redis.llen(QUEUE) + self.redis.hlen("unacked")


class RQPeer:
    def __init__(self):
        import rq

        self.rq = rq
        self.redis = redis.Redis.from_url(REDIS_URL)
        self.queue = rq.Queue(QUEUE, connection=self.redis)

    def send(self, jobs):
        prepare = lambda each: self.rq.Queue.prepare_data(
            "peers.job", (each["job"], each.get("ledger")), result_ttl=0, retry=self.rq.Retry(max=1000)
        )
        self.queue.enqueue_many([prepare(each) for each in jobs])

    def left(self):
        # A worker moves a job into a list of its own kind before it notes that it has begun it.
        taken = self.redis.llen(self.queue.intermediate_queue_key)
        return self.queue.count + taken + self.queue.started_job_registry.get_job_count(cleanup=False)

    def work(self):
        options = {"job_monitoring_interval": 1, "maintenance_interval": 2}
        worker = self.rq.Worker([self.queue], connection=self.redis, **options)
        worker.work(logging_level="CRITICAL")


PEERS = {"celery": CeleryPeer, "rq": RQPeer}
IS_PROGRAM = __name__ == "__main__"
peer = PEERS[sys.argv[2] if IS_PROGRAM else "celery"]() if IS_PROGRAM or "celery" in sys.argv[0] else None
if isinstance(peer, CeleryPeer):
    app = peer.app


def serve():
    for line in sys.stdin:
        question = json.loads(line)
        try:
            value = peer.left() if "left" in question else peer.send(question["send"])
            answer = {"value": value or 0}
        except Exception as error:  # whatever it is, the one who asked wants to know
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if IS_PROGRAM:
    if sys.argv[1] == "client":
        serve()
    else:
        # Each runs one job at a time.
        for _ in range(int(sys.argv[3]) - 1):
            if os.fork() == 0:
                break
        else:
            say("ready")
        peer.work()
