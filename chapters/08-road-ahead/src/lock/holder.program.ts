/**
 * A holder as a process: `SETTINGS` says which store it uses. In each round it adds an item. When it is ready to write, it says
 * so, and waits to be told.
 */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { ready } from '@repo/common/process/ready'
import { perform } from '@repo/simulator/perform'
import { type Message, machineMs, type Question } from '../lease/lease.ts'
import { stores } from '../lease/stores.ts'
import { addItem } from './holder.ts'
import type { Held, Settings } from './live.ts'

const { name, store, address, lock, leaseMs, mistake } = JSON.parse(process.env.SETTINGS ?? '') as Settings
const connection = await stores[store].connect(address)
const tell = (message: unknown) => void process.send?.(message, undefined, undefined, () => {})
async function stopHere() {
  tell('ready')
  await once(process, 'message')
}

ready()
for (let round = 1; ; round++) {
  await once(process, 'message')
  const item = `${name}${round}`
  let fromMs = 0
  async function ask(question: Message) {
    if ('do' in question && question.do === 'take') fromMs = machineMs()
    if ('do' in question && question.do === 'write') await stopHere()
    return await connection.ask(lock, question as Question)
  }
  const outcome = await perform(addItem({ by: item, leaseMs, retryMs: 10, clock: machineMs, mistake }), { ask, sleep })
  if (outcome === 'too late') await stopHere()
  // It has more to do, and would take the lock again.
  const by = `${item} again`
  const { isDone: isBackIn } = await connection.ask(lock, { do: 'take', by, ms: leaseMs })
  const untilMs = machineMs()
  if (isBackIn) await connection.ask(lock, { do: 'release', by, compares: true })
  tell({ item, outcome, fromMs, untilMs, isBackIn } satisfies Held)
}
