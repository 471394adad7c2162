/** A consumer process: takes tasks from its owner's queue until it takes a stop marker (process-queues.ts). */
import { on } from 'node:events'
import { ready } from '@repo/common/process/ready'
import { wordsOf } from '@repo/common/workloads/shingles'
import { type Address, stateOfTheUnion } from '@repo/common/workloads/texts'
import { type ConsumerMessage, type ConsumerTask, stop } from './process-queues.ts'

let addresses: Address[] | undefined

function work(task: ConsumerTask): unknown {
  if ('echo' in task) return task.echo
  if ('kill' in task) return process.kill(process.pid, 'SIGKILL')
  addresses ??= stateOfTheUnion()
  return wordsOf(addresses[task.address]?.text ?? '').length
}

const send = (message: ConsumerMessage) => process.send?.(message)

const items = on(process, 'message')
ready()
send({ get: true })
for await (const [{ item }] of items) {
  if (item === stop) break
  send({ put: work(item) })
  send({ get: true })
}
process.disconnect()
