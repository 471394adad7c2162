/**
 * Ends what a killed process leaves behind. The owner (process.ts) writes one line for each child process and temporary
 * folder, `+` when it is there and `-` when it is gone, followed by the pid or the path in JSON. The end of the input
 * means that the owner is gone, however it went: then whatever is still listed is ended and removed.
 *
 * Plain JavaScript, so that it starts without a loader.
 */
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const termDeadlineMs = 3_000
const killDeadlineMs = 1_000

// It ends by itself, after the owner; a signal sent to everything must not end it before its work is done.
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
  // A connection that breaks is a connection that ends.
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
  // Every child leads a process group of its own: this takes what it started with it.
  send(process.platform === 'win32' ? pid : -pid, 'SIGKILL')
  await gone(pid, killDeadlineMs)
}

async function gone(pid, deadlineMs) {
  const deadline = performance.now() + deadlineMs
  while (send(pid, 0) && performance.now() < deadline) await delay(20)
}

/** Whether there was a process to send to. */
function send(pid, signal) {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
