/** Sends the tasks of tasks.ts and prints their results. It needs a running worker, and REDIS_URL. */
// #region client
import { chord, group, step } from '04-celery/canvas/canvas'
import { apply } from '04-celery/canvas/plan'
import { openClient } from '04-celery/queue/client'
import { signature } from '04-celery/queue/task'
import { charge, invoice, sum } from './tasks.ts'

await using client = await openClient({ url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' })
const wait = { timeoutMs: 30_000 }

// One task: its result is typed as what `run` returns.
const total = await client.send(invoice, { customer: 'Ada', lines: [{ cents: 250, count: 2 }, { cents: 99 }] })
console.log('invoice:', await total.get(wait))

// A task that fails at first: `get` waits until it has succeeded or has used up its retries.
const paid = await client.send(charge, { customer: 'Ada', cents: await total.get(wait) })
console.log('charge:', await paid.get(wait))

// A chord: a group of tasks side by side, then one task with all their results.
const invoices = [100, 200, 300].map((cents) => signature(invoice, { customer: 'Ada', lines: [{ cents }] }))
const all = await apply(client, chord(group(invoices), step(sum, 'numbers')))
console.log('chord:', await all.get(wait))
// #endregion client
