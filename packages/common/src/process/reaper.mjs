/**
 * Ends what a killed process leaves behind. The owner (guard.ts) writes a line for each child process and temporary
 * folder: `+` when it begins to exist and `-` when it is gone, followed by the pid or the path as JSON. At the end of
 * the input the owner has ended, and the reaper ends and removes what is still listed.
 *
 * Plain JavaScript, so that it starts without a loader.
 */
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const termDeadlineMs = 3_000
const killDeadlineMs = 1_000

// The reaper ends by itself, after its owner. A signal to all processes must not end it before its work is done.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => {})

/** @type {Set<number | string>} pids and paths */
const guarded = new Set()
try {
  for await (const line of createInterface({ input: process.stdin })) {
    const entry = JSON.parse(line.slice(1))
    if (line.startsWith('+')) guarded.add(entry)
    else guarded.delete(entry)
  }
} catch {
  // A broken connection counts as its end.
}

const entries = [...guarded]
await Promise.all(entries.filter((entry) => typeof entry === 'number').map(end))
for (const folder of entries.filter((entry) => typeof entry === 'string')) {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 }).catch(() => {})
}

/** @param {number} pid */
async function end(pid) {
  send(pid, 'SIGTERM')
  await gone(pid, termDeadlineMs)
  // Each child leads its own process group, which contains what it has started.
  send(process.platform === 'win32' ? pid : -pid, 'SIGKILL')
  await gone(pid, killDeadlineMs)
}

async function gone(pid, deadlineMs) {
  const deadline = performance.now() + deadlineMs
  while (send(pid, 0) && performance.now() < deadline) await delay(20)
}

/** Returns whether the process existed. */
function send(pid, signal) {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
