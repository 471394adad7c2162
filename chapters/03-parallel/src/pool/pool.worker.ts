/**
 * A pool's worker, as a thread or as a process. Does one task after the other with the default export of the module
 * that it is given, and sends back what each task returned or threw.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { ready } from '@repo/common/process/ready'
import type { KeyedReply, Reply } from './workers.ts'

const [file, key] = parentPort ? [workerData.file, workerData.key] : process.argv.slice(2)
const { default: work } = await import(file)

async function replyTo(task: unknown): Promise<Reply> {
  try {
    return { value: await work(task) }
  } catch (error) {
    return { error }
  }
}

function send(reply: Reply) {
  const message: KeyedReply = { key, reply }
  if (parentPort) parentPort.postMessage(message)
  else process.send?.(message)
}
const owner = parentPort ?? process
owner.on('message', async ({ task }: { task: unknown }) => {
  const reply = await replyTo(task)
  try {
    send(reply)
  } catch (error) {
    // A result that cannot be copied, such as a function.
    send({ error })
  }
})
if (!parentPort) ready()
