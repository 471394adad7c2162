/** The service, the relay or the receiver as a process: `SETTINGS` says which, and after which effect it kills itself. */
import { sleep } from '@repo/common/async/timer'
import { ready } from '@repo/common/process/ready'
import { openJournal } from '@repo/simulator/journal'
import { perform } from '@repo/simulator/perform'
import { openStore } from './postgres.ts'
import type { Settings } from './real.ts'
import { carriers, type Message, startService, type Task, tell } from './ways.ts'

const { role, way, urls, log, queue: named, killAfter } = JSON.parse(process.env.SETTINGS ?? '') as Settings
const stores = { A: openStore(urls.A), B: openStore(urls.B) }
const journal = await openJournal(log)
/** BullMQ takes a while to load. */
const bullmq = named && (await import('bullmq'))
const connection = { url: named?.url ?? '' }
const queue = bullmq && role !== 'receiver' ? new bullmq.Queue(named.name, { connection }) : undefined
let effects = 0

/** Others can see an effect from now on. That there was no message is none. */
function seen<Answer>(answer: Answer): Answer {
  if (answer !== 'nothing' && ++effects === killAfter) process.kill(process.pid, 'SIGKILL')
  return answer
}
async function ask(message: Message, to: string): Promise<Message> {
  if (to === 'A' || to === 'B') return seen(await stores[to].ask(message))
  if (typeof message === 'object') await queue?.add('booking', message.booking)
  return seen('done')
}
const save = async (key: string, value: unknown) => seen(await journal.save(key, value))
const run = (task: Task<unknown>) => perform(task, { ask, sleep, save })

if (role === 'relay') for (const task of carriers.relay()) void run(task)
else if (role === 'receiver' && bullmq) {
  // #region receiver
  const worker = new bullmq.Worker(named.name, ({ data }) => run(tell('book', data)), {
    connection,
    removeOnComplete: { count: 0 },
    // When its worker was killed, a job is delivered again after these times.
    lockDuration: 1_000,
    stalledInterval: 300,
    maxStalledCount: 100,
  })
  // #endregion receiver
  worker.on('error', () => {})
  await worker.waitUntilReady()
} else {
  const order = startService(way, journal.values, run, (answer) => process.send?.(answer))
  process.on('message', order)
}
ready()
