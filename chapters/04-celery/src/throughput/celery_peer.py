"""Celery doing what this chapter's programs do, for comparison. Broker and result store: REDIS_URL; queue: QUEUE.

As a worker: celery -A celery_peer worker. As a client: celery_peer.py with a command in JSON; prints a line of JSON.
"""
import json
import os
import random
import sys
import time

from celery import Celery, group
from celery.result import ResultSet

app = Celery("celery_peer", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.update(
    task_default_queue=os.environ["QUEUE"],
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    # Each process takes 4 tasks in advance by default. More is better for tasks that take no time.
    worker_prefetch_multiplier=64,
)


@app.task(name="peer.empty")
def empty():
    return None


def merge(left, right):
    merged = []
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i] <= right[j]:
            merged.append(left[i])
            i += 1
        else:
            merged.append(right[j])
            j += 1
    merged.extend(left[i:])
    merged.extend(right[j:])
    return merged


def merge_sort(numbers):
    if len(numbers) < 2:
        return numbers
    middle = len(numbers) // 2
    return merge(merge_sort(numbers[:middle]), merge_sort(numbers[middle:]))


@app.task(name="peer.sort")
def sort(numbers):
    return merge_sort(numbers)


@app.task(name="peer.sort_itself")
def sort_itself(numbers):
    """The task calls itself: each of 2 n - 1 calls goes through Celery's Task.__call__, which costs more than a plain call."""
    if len(numbers) < 2:
        return numbers
    middle = len(numbers) // 2
    return merge(sort_itself(numbers[:middle]), sort_itself(numbers[middle:]))


def mergesort(n, chunks, seed, local, itself):
    task, plain = (sort_itself, sort_itself) if itself else (sort, merge_sort)
    source = random.Random(seed)
    numbers = [source.randint(-(2**31), 2**31 - 1) for _ in range(n)]
    begin = time.perf_counter()
    parts = [numbers[n * at // chunks : n * (at + 1) // chunks] for at in range(chunks)]
    result = group(task.s(part) for part in parts)()
    runs = result.get(timeout=1200)
    while len(runs) > 1:
        runs = [merge(runs[at], runs[at + 1]) if at + 1 < len(runs) else runs[at] for at in range(0, len(runs), 2)]
    took = time.perf_counter() - begin
    result.forget()
    answer = {"ms": took * 1000, "sorted": runs[0] == sorted(numbers)}
    if local:
        begin = time.perf_counter()
        plain(numbers)
        answer["localMs"] = (time.perf_counter() - begin) * 1000
    return answer


def empties(n):
    begin = time.perf_counter()
    results = ResultSet([empty.delay() for _ in range(n)])
    sent = time.perf_counter() - begin
    answers = results.get(timeout=300)
    took = time.perf_counter() - begin
    for result in results:
        result.forget()
    return {"ms": took * 1000, "sentMs": sent * 1000, "done": len(answers)}


if __name__ == "__main__":
    commands = {"mergesort": mergesort, "empties": empties}
    what = json.loads(sys.argv[1])
    print(json.dumps(commands[what.pop("command")](**what)), flush=True)
