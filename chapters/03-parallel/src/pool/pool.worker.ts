/**
 * A pool's worker, as a thread or as a process. Does one task after the other with the default export of the module
 * that it is given, and sends back what each task returned or threw.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { ready } from '@repo/common/process/ready'
import type { Reply } from './workers.ts'

const { default: work } = await import(parentPort ? workerData.file : process.argv[2])

async function replyTo(task: unknown): Promise<Reply> {
  try {
    return { value: await work(task) }
  } catch (error) {
    return { error }
  }
}

const send = (reply: Reply) => (parentPort ? parentPort.postMessage(reply) : process.send?.(reply))
const owner = parentPort ?? process
owner.on('message', async (task: unknown) => {
  const reply = await replyTo(task)
  try {
    send(reply)
  } catch (error) {
    // A result that cannot be copied, such as a function.
    send({ error })
  }
})
if (!parentPort) ready()
