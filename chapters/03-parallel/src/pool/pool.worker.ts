/**
 * The program of a pool's worker, thread or process: does tasks with the default export of the module it is told, one
 * after the other, and sends back what each returned or threw.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { ready } from '@repo/common/process/ready'
import type { Reply } from './workers.ts'

const { default: work } = await import(parentPort ? workerData.file : process.argv[2])

async function serve(task: unknown): Promise<Reply> {
  try {
    return { value: await work(task) }
  } catch (error) {
    // JSON would leave out undefined, which one can throw.
    return { error: error ?? null }
  }
}

if (parentPort) {
  const port = parentPort
  port.on('message', async (task) => {
    const reply = await serve(task)
    try {
      port.postMessage(reply)
    } catch (error) {
      // A function, say: there is no way to copy it to another thread.
      port.postMessage({ error } satisfies Reply)
    }
  })
} else {
  process.on('message', async (task) => {
    const reply = await serve(task)
    // JSON would make {} of an Error.
    if ('error' in reply && reply.error instanceof Error) {
      const { name, message, stack } = reply.error
      reply.error = { name, message, stack }
    }
    process.send?.(reply)
  })
  ready()
}
