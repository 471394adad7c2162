/**
 * The service, the relay or the receiver as a process: `SETTINGS` says which. It kills itself with SIGKILL after as many
 * effects as it is told.
 */
import { join } from 'node:path'
import { sleep } from '@repo/common/async/timer'
import { ready } from '@repo/common/process/ready'
import { openJournal } from '@repo/simulator/journal'
import { perform } from '@repo/simulator/perform'
import type { Handler } from '@repo/simulator/simulator'
import { openStore } from './postgres.ts'
import type { Settings, Told } from './real.ts'
import { type Message, type Node, relay, startService } from './ways.ts'

const { role, way, urls, folder, queue: named } = JSON.parse(process.env.SETTINGS ?? '') as Settings
const stores = { A: openStore(urls.A), B: openStore(urls.B) }
const journal = await openJournal(join(folder, 'journal'))
/** BullMQ takes a while to load. */
const bullmq = named && (await import('bullmq'))
const connection = { url: named?.url ?? '' }
const queue = bullmq && role !== 'receiver' ? new bullmq.Queue(named.name, { connection }) : undefined
let effectsLeft = Number.POSITIVE_INFINITY
let pending = 0

async function ask(message: Message, to: string): Promise<Message> {
  let answer: Message = 'done'
  pending++
  try {
    if (to === 'A' || to === 'B') answer = await stores[to].ask(message)
    else if (typeof message === 'object' && message.do === 'add') await queue?.add('booking', message.booking)
  } finally {
    pending--
  }
  // A question for messages where there are none does not count.
  if (answer !== 'nothing') countDown()
  return answer
}
async function save(key: string, value: unknown) {
  await journal.save(key, value)
  countDown()
}
function countDown() {
  if (--effectsLeft === 0) process.kill(process.pid, 'SIGKILL')
}
const run = <Result>(handler: Handler<Node, Message, Result>) => perform(handler, { ask, sleep, save })

if (role === 'relay') void run(relay())
if (role === 'receiver' && bullmq) {
  // #region receiver
  const worker = new bullmq.Worker(named.name, async ({ data }) => void (await ask(data, data.at)), {
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
}
if (role === 'service') {
  const receive = startService({ run: (_, handler) => void run(handler) }, journal.values, way)
  process.on('message', async (told: Told) => {
    if (!('transfer' in told)) return
    const received = receive({ do: 'transfer', transfer: told.transfer }, 'client')
    const isHandler = typeof received === 'object' && 'next' in received
    const answer = isHandler ? await run(received as Handler<Node, Message, Message>) : received
    // Whoever asks for what is being carried out will ask again.
    if (answer) process.send?.(answer)
  })
}
process.on('message', async (told: Told) => {
  if (!('killAfter' in told)) return
  // What others can see already may not have come back as an answer yet. It counts.
  while (pending > 0) await sleep(1)
  effectsLeft = told.killAfter
  process.send?.({})
})
ready()
