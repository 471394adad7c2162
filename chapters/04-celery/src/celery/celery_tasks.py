"""Tasks of a real Celery worker, for celery-interop. Broker and result store: REDIS_URL; queue: QUEUE."""
import os
import time

from celery import Celery

app = Celery("celery_tasks", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.update(
    task_default_queue=os.environ["QUEUE"],
    # JSON only. Celery's other format, pickle, can carry code, and would run it.
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    # A task belongs to its worker until it is done, and goes back if the worker dies.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
)


@app.task(name="add")
def add(x, y):
    return x + y


@app.task(name="divide")
def divide(x, by):
    return x / by


# #region flaky
@app.task(name="flaky", bind=True, max_retries=5)
def flaky(self, failures):
    """Fails a number of times, and is tried again each time."""
    if self.request.retries < failures:
        # Celery sends the next attempt before it notes this one; if it came at once, they could be noted the wrong way round.
        raise self.retry(exc=ConnectionError(f"attempt {self.request.retries + 1} failed"), countdown=0.5)
    return f"done at attempt {self.request.retries + 1}"
# #endregion flaky


@app.task(name="report", bind=True)
def report(self, total):
    """Tells its progress in a state of its own, as Celery's guide proposes."""
    for current in range(1, total):
        self.update_state(state="PROGRESS", meta={"current": current, "total": total})
    return total


@app.task(name="note")
def note(file):
    """Writes into a file which process has begun it, and lasts until there is a second one, so that it can be killed."""
    with open(file, "a") as notes:
        notes.write(f"{os.getpid()}\n")
    # A minute: nothing that is forgotten shall last for ever.
    for _ in range(1200):
        if os.path.exists(f"{file}.over"):
            return "over"
        time.sleep(0.05)
    return "forgotten"


# The same, but a task whose process was killed has failed.
app.task(name="note_once", reject_on_worker_lost=False)(note.run)


@app.task(name="count_words")
def count_words(text, at_least=1):
    counts = {}
    for word in text.lower().split():
        counts[word] = counts.get(word, 0) + 1
    return {word: n for word, n in counts.items() if n >= at_least}
