/**
 * A pool's worker, as a thread or as a process. Does one task after the other with the default export of the module
 * that it is given, and sends back what each task returned or threw.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { ready } from '@repo/common/process/ready'
import type { KeyedReply, Reply } from './workers.ts'

// Taken out of the arguments: a task must not find the key there.
const [file, key = ''] = parentPort ? [workerData.file] : process.argv.splice(2)
const { default: work } = await import(file)

async function replyTo(task: unknown): Promise<Reply> {
  try {
    return { value: await work(task) }
  } catch (error) {
    return { error }
  }
}

async function answer(task: unknown, send: (reply: Reply) => void) {
  const reply = await replyTo(task)
  try {
    send(reply)
  } catch (error) {
    // A result that cannot be copied, such as a function.
    send({ error })
  }
}

if (parentPort) {
  const port: MessagePort = workerData.port
  port.on('message', (task: unknown) => answer(task, (reply) => port.postMessage(reply)))
} else {
  const send = (reply: Reply) => process.send?.({ key, reply } satisfies KeyedReply)
  process.on('message', ({ task }: { task: unknown }) => answer(task, send))
  ready()
}
