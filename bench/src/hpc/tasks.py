"""Runs tasks on a host by Paramiko: answers each line of JSON with a line of JSON."""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import paramiko

attempts, pause_s = 200, 0.01


# #region run
def start(client, task):
    """Asks again where sshd, which counts a session until its process has ended, refuses one too many."""
    for attempt in range(attempts):
        try:
            return client.exec_command(task)
        # Of two refusals at once, only one is a ChannelException.
        except paramiko.SSHException:
            if attempt == attempts - 1:
                raise
            time.sleep(pause_s)


def run(client, task):
    _, stdout, _ = start(client, task)
    output = stdout.read().decode()
    code = stdout.channel.recv_exit_status()
    if code != 0:
        raise RuntimeError(f"{task}: ended with {code}")
    return output
# #endregion run


def run_all(to, known_hosts_file, threads, tasks):
    with paramiko.SSHClient() as client, ThreadPoolExecutor(threads) as pool:
        client.load_host_keys(known_hosts_file)
        client.connect(**to, allow_agent=False, look_for_keys=False)
        return list(pool.map(lambda task: run(client, task), tasks))


for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = {"outputs": run_all(asked["to"], asked["knownHostsFile"], asked["threads"], asked["tasks"])}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
