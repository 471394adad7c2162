"""A real Celery client that calls tasks served in TypeScript, for celery-interop. Prints a line of JSON for each call."""
import json
import os
import sys

from celery import Celery, chain, group
from celery.exceptions import TimeoutError

app = Celery("celery_client", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.update(task_default_queue=os.environ["QUEUE"], task_serializer="json", accept_content=["json"])


def report(call, result, states=None):
    line = {"call": call, "id": result.id}
    try:
        line["result"] = result.get(timeout=30, interval=0.02)
    except TimeoutError:
        raise
    except Exception as error:
        # Python has made it an error of its own class if there is one of that name.
        line["error"] = type(error).__name__
        line["message"] = str(error)
        line["isTypeError"] = isinstance(error, TypeError)
    line["state"] = getattr(result, "state", None) or ("SUCCESS" if result.successful() else "FAILURE")
    print(json.dumps(line), flush=True)
    result.forget()


def task(name, *args, **kwargs):
    return app.signature(name, args=args, kwargs=kwargs)


report("rate('usd', to='eur')", task("rate", "usd", to="eur").delay())
report("rate('usd', to='atlantis')", task("rate", "usd", to="atlantis").delay())
report("square('two')", task("square", "two").delay())
report("eval('1 + 1')", task("eval", "1 + 1").delay())
report("flaky(2)", task("flaky", 2).delay())
report("square(7) in 0.5 s", task("square", 7).apply_async(countdown=0.5))
report("square(7), expired", task("square", 7).apply_async(expires=-1))
report("nap(5), time limit 0.3 s", task("nap", 5).apply_async(time_limit=0.3))
report("square(7), gzip, priority 9", task("square", 7).apply_async(compression="gzip", priority=9))
report("square(2 ** 53 + 1)", task("square", 2**53 + 1).delay())
report("chain(square(3), square() in 0.5 s)", chain(task("square", 3), task("square").set(countdown=0.5)).delay())
report("chain(square(3), square(), square())", chain(task("square", 3), task("square"), task("square")).delay())
report("group of square(0 .. 9)", group(task("square", n) for n in range(10)).delay())
sys.exit(0)
