/**
 * A candidate as a process: `SETTINGS` says which store it uses. It stands in the elections that it is told of, and reports
 * whenever it begins or ceases to take itself for the leader of one.
 */
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { ready } from '@repo/common/process/ready'
import { perform } from '@repo/simulator/perform'
import { type Message, machineMs, type Question } from '../lease/lease.ts'
import { stores } from '../lease/stores.ts'
import { stand } from './candidate.ts'
import type { Election, Report, Settings } from './live.ts'

const { name, store, address, pace, drift } = JSON.parse(process.env.SETTINGS ?? '') as Settings
const connection = await stores[store].connect(address)
// A machine's clock cannot be wrong for one process: the wrong one counts the machine's time more slowly.
const clock = () => pace * machineMs()
const sleep = (ms: number) => setTimeout(ms / pace)

async function follow({ id, leaseMs, everyMs }: Election) {
  let untilMs = Number.NEGATIVE_INFINITY
  let leads = false
  // As a process does that is about to do what only a leader may.
  function look() {
    if (leads === clock() < untilMs) return
    leads = !leads
    const report: Report = { id, leads, atMs: machineMs() }
    process.send?.(report, undefined, undefined, () => {})
  }
  function onAnswer(ms: number) {
    untilMs = ms
    look()
  }
  setInterval(look, 5)
  await sleep(everyMs * Math.random())
  const ask = (question: Message) => connection.ask(id, question as Question)
  await perform(stand({ name, leaseMs, everyMs, drift, clock, onAnswer }), { ask, sleep })
}

ready()
const [elections] = (await once(process, 'message')) as [Election[]]
await Promise.all(elections.map(follow))
