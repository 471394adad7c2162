/** A client as a process. `PLACE` says which store it uses, and messages what it does: add an item, or stand in elections. */
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { ready } from '@repo/common/process/ready'
import { perform } from '@repo/simulator/perform'
import { stand } from './candidate.ts'
import type { Report, Stand } from './elections.ts'
import { addItem } from './holder.ts'
import type { Message, Place, Question } from './lease.ts'
import type { Add, Held } from './rounds.ts'
import { machineMs, stores } from './stores.ts'

const place: Place = JSON.parse(process.env.PLACE ?? '')
const connection = await stores[place.store].connect(place)
const tell = (message: 'ready' | Held | Report) => void process.send?.(message, undefined, undefined, () => {})

/** Adds an item. When it is ready to write, and not too late, it says so, and waits to be told. */
async function add({ item: by, lock, leaseMs, mistake }: Add) {
  let fromMs = 0
  async function ask(message: Message) {
    const question = message as Question
    if (question.do === 'take') fromMs = machineMs()
    if (question.do === 'write') {
      tell('ready')
      await once(process, 'message')
    }
    return await connection.ask(lock, question)
  }
  const options = { by, leaseMs, againMs: 10, clock: machineMs, mistake, onHold: () => {} }
  const outcome = await perform(addItem(options), { ask, sleep: setTimeout })
  tell({ item: by, outcome, fromMs, untilMs: machineMs() })
}

/** Stands in an election, and reports whenever it begins or ceases to take itself for the leader. */
async function follow(
  { name, pace, drift }: Stand,
  { lock, leaseMs, everyMs }: Stand['elections'][number],
  signal: AbortSignal,
) {
  // A machine's clock cannot be wrong for one process: the wrong one counts the machine's time more slowly.
  const clock = () => pace * machineMs()
  const sleep = (ms: number) => setTimeout(ms / pace, undefined, { signal })
  let untilMs = Number.NEGATIVE_INFINITY
  let leads = false
  let lookedMs = machineMs()
  // As a process does that is about to do what only a leader may.
  function look() {
    const atMs = machineMs()
    if (leads !== clock() < untilMs) {
      leads = !leads
      tell({ lock, leads, atMs, lookedMs })
    }
    lookedMs = atMs
  }
  function onHold(ms: number) {
    untilMs = ms
    look()
  }
  const looking = setInterval(look, 5)
  signal.addEventListener('abort', () => clearInterval(looking))
  await sleep(everyMs * Math.random())
  const ask = (question: Message) => connection.ask(lock, question as Question)
  await perform(stand({ by: name, leaseMs, againMs: everyMs, drift, clock, onHold }), { ask, sleep })
}

ready()
for (let standing = new AbortController(); ; ) {
  const [task] = (await once(process, 'message')) as [Add | Stand]
  standing.abort()
  standing = new AbortController()
  const { signal } = standing
  if ('item' in task) await add(task)
  else {
    for (const election of task.elections)
      void follow(task, election, signal).catch((error) => {
        if (!signal.aborted) throw error
      })
  }
}
