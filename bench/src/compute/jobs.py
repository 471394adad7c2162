"""The jobs of jobs.ts on Python's processes, with NumPy where it does a loop of theirs.

    jobs.py alone|futures|dask WORKERS     starts processes, and answers each job, a line of JSON, with a line of JSON

Processes share no memory: what a task needs and what it returns is copied. `alone` is this process and no other.
"""

import hashlib
import json
import os
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

# Before NumPy is loaded: each process has one core, and the hash of a word must be the same in all of them.
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
if "PYTHONHASHSEED" not in os.environ:
    sys.exit("PYTHONHASHSEED must be set")

import numpy as np  # noqa: E402


def mandelbrot(view, tiles, on_all, workers):
    pixels = np.empty((view["height"], view["width"], 3), np.uint8)
    drawn = on_all(partial(draw_tile, view), tiles)
    for tile, part in zip(tiles, drawn):
        pixels[tile["top"] : tile["bottom"], tile["left"] : tile["right"]] = part
    return pixels


def draw_tile(view, tile):
    step = 3.5 / (view["zoom"] * view["width"])
    rows, columns = np.arange(tile["top"], tile["bottom"]), np.arange(tile["left"], tile["right"])
    y = view["centerY"] + (view["height"] / 2 - rows) * step
    x = view["centerX"] + (columns - view["width"] / 2) * step
    times = escape_times(*(axis.ravel() for axis in np.meshgrid(x, y)), view["iterations"])
    colors = PALETTE[np.floor(24 * np.sqrt(times)).astype(int) % len(PALETTE)]
    colors[times == view["iterations"]] = 0
    return colors.reshape(len(rows), len(columns), 3)


def escape_times(x, y, limit):
    """All points go through the iterations together, without those that have escaped."""
    times = np.full(len(x), limit)
    q = (x - 0.25) ** 2 + y * y
    inside = (q * (q + x - 0.25) <= 0.25 * y * y) | ((x + 1) ** 2 + y * y <= 1 / 16)
    left = np.flatnonzero(~inside)
    x, y = x[left], y[left]
    re, im, re2, im2 = (np.zeros(len(left)) for _ in range(4))
    for iteration in range(limit):
        escaped = re2 + im2 > 4
        if escaped.any():
            times[left[escaped]] = iteration
            left, x, y, re, im, re2, im2 = (each[~escaped] for each in (left, x, y, re, im, re2, im2))
        if len(left) == 0:
            break
        im = 2 * re * im + y
        re = re2 - im2 + x
        re2, im2 = re * re, im * im
    return times


PALETTE = np.rint(
    127.5 * (1 - np.cos(2 * np.pi * (np.arange(256)[:, None] / 256 + np.array([0.55, 0.6, 0.7]) - 0.5)))
).astype(np.uint8)


WORD = re.compile(r"[a-z'\u0080-\uffff]+")
BASE = np.uint64(0x9E3779B97F4A7C15)


def similarity(texts, size, on_all, workers):
    """As ours: shingles into partitions by their hashes, then equal ones in each partition, then the scores."""
    pieces = [range(at, min(at + 4, len(texts))) for at in range(0, len(texts), 4)]
    parts = on_all(partial(shingles_of, size, workers), [[texts[at] for at in piece] for piece in pieces])
    sizes = np.array([sum(map(len, text)) for part in parts for text in part], np.float64)
    owned = list(enumerate(text for part in parts for text in part))
    partitions = [[(owner, text[number]) for owner, text in owned] for number in range(workers)]
    common = sum(on_all(partial(count_common, len(texts)), partitions)).reshape(len(texts), -1)
    common = common + common.T
    scores = common / (sizes[:, None] + sizes[None, :] - common)
    np.fill_diagonal(scores, 1)
    return scores


def shingles_of(size, partitions, texts):
    """Returns the distinct shingles of each text, as hashes of 64 bits, by their partitions."""
    parts = []
    for text in texts:
        words = np.fromiter(map(hash, WORD.findall(text.lower())), np.int64).view(np.uint64)
        hashes = np.zeros(max(0, len(words) - size + 1), np.uint64)
        for at in range(size):
            hashes = hashes * BASE + words[at : at + len(hashes)]
        hashes = np.unique(hashes)
        numbers = hashes >> np.uint64(40)
        parts.append([hashes[numbers % np.uint64(partitions) == number] for number in range(partitions)])
    return parts


def count_common(count, partition):
    """Returns, as a table in a row, how many shingles of a partition each text has in common with each later one."""
    keys = np.concatenate([hashes for _, hashes in partition])
    owners = np.repeat([owner for owner, _ in partition], [len(hashes) for _, hashes in partition])
    order = np.argsort(keys, kind="stable")
    keys, owners = keys[order], owners[order]
    common = np.zeros(count * count, np.int64)
    # In ever greater distance, the places of equal shingles: those of one text with those of later ones.
    places = np.arange(len(keys))
    for distance in range(1, count):
        places = places[: np.searchsorted(places, len(keys) - distance)]
        places = places[keys[places] == keys[places + distance]]
        if len(places) == 0:
            break
        common += np.bincount(owners[places] * count + owners[places + distance], minlength=count * count)
    return common


# #region sort
def sort(numbers, on_all, workers):
    """Sorts a run in each process, and merges them here: a stable sort of NumPy finds runs and merges them."""
    return np.sort(np.concatenate(on_all(np.sort, np.array_split(numbers, workers))), kind="stable")
# #endregion sort


def load(job):
    """Returns the job as a function of `on_all` and the number of workers."""
    file = Path(job["file"])
    if job["job"] == "sort":
        return partial(sort, np.fromfile(file, np.int32))
    data = json.loads(file.read_text())
    return partial(mandelbrot, data["view"], data["tiles"]) if job["job"] == "mandelbrot" else partial(similarity, **data)


def answer(lines, on_all, workers):
    file, work = None, None
    for line in lines:
        job = json.loads(line)
        try:
            if job["file"] != file:
                file, work = job["file"], load(job)
            begin = time.perf_counter()
            result = work(on_all=on_all, workers=workers)
            ms = 1_000 * (time.perf_counter() - begin)
            reply = {"ms": ms, "digest": hashlib.sha256(result.tobytes()).hexdigest()}
        except Exception as error:  # whatever it is, the one who asked wants to know
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


def main():
    workers = int(sys.argv[2])
    if sys.argv[1] == "alone":
        answer(sys.stdin, lambda do, items: list(map(do, items)), 1)
        return
    if sys.argv[1] == "futures":
        with ProcessPoolExecutor(workers) as pool:
            answer(sys.stdin, lambda do, items: list(pool.map(do, items)), workers)
        return
    import logging

    from dask import config
    from distributed import Client, LocalCluster

    config.set({"distributed.nanny.pre-spawn-environ.PYTHONHASHSEED": os.environ["PYTHONHASHSEED"]})
    # It knows no password, and listens on the loopback interface only, on free ports.
    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
    with LocalCluster(n_workers=workers, threads_per_worker=1, **local) as cluster, Client(cluster) as client:

        def on_all(do, items):
            return client.gather(client.map(do, client.scatter(items, hash=False), pure=False))

        answer(sys.stdin, on_all, workers)


# Dask's processes load this module too.
if __name__ == "__main__":
    main()
