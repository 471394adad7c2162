"""Temporal as an engine of the drill: a workflow for each job, whose only step is an activity.

    temporal.py client            reads the same questions as peers.py
    temporal.py work CONCURRENCY  a worker, until it is killed

TEMPORAL is the server's address, QUEUE the task queue, LEDGER_URL the Redis where the jobs book.
"""

import asyncio
import json
import os
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from peers import LEASE_S, QUEUE, job, say
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.worker import Worker

LEASE = timedelta(seconds=LEASE_S)
AT_ONCE = 50


@activity.defn(name="job")
def run_job(task: dict) -> None:
    job(task["job"], task.get("ledger"))


@workflow.defn(name="Job", sandboxed=False)
class Job:
    @workflow.run
    async def run(self, task: dict) -> None:
        retry = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=LEASE)
        await workflow.execute_activity(
            run_job, task, start_to_close_timeout=timedelta(minutes=1), heartbeat_timeout=LEASE, retry_policy=retry
        )


async def connect():
    while True:
        try:
            return await Client.connect(os.environ["TEMPORAL"])
        except RuntimeError:
            # It listens before it serves.
            await asyncio.sleep(0.1)


async def serve():
    client = await connect()
    slots = asyncio.Semaphore(AT_ONCE)

    async def start(task):
        name = f"{task['ledger']}-{task['job']}" if "ledger" in task else str(uuid.uuid4())
        async with slots:
            try:
                await client.start_workflow("Job", task, id=name, task_queue=QUEUE, task_timeout=LEASE)
            except WorkflowAlreadyStartedError:
                pass

    while line := await asyncio.to_thread(sys.stdin.readline):
        question = json.loads(line)
        try:
            if "left" in question:
                running = await client.count_workflows(f"TaskQueue = '{QUEUE}' and ExecutionStatus = 'Running'")
                answer = {"value": running.count}
            else:
                await asyncio.gather(*map(start, question["send"]))
                answer = {"value": 0}
        except Exception as error:  # whatever it is, the one who asked wants to know
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


async def work(concurrency):
    client = await connect()
    with ThreadPoolExecutor(concurrency) as threads:
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=[Job],
            activities=[run_job],
            activity_executor=threads,
            max_concurrent_activities=concurrency,
            sticky_queue_schedule_to_start_timeout=LEASE,
        )
        say("ready")
        await worker.run()


if __name__ == "__main__":
    asyncio.run(serve() if sys.argv[1] == "client" else work(int(sys.argv[2])))
