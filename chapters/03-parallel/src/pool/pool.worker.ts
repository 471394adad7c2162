/**
 * A pool's worker, as a thread or as a process. Does one task after the other with the default export of the module
 * that it is given, and sends back what each task returned or threw.
 */
import { types } from 'node:util'
import { deserialize, serialize } from 'node:v8'
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

function sendWhole(reply: Reply, send: (reply: Reply) => void) {
  try {
    send(reply)
  } catch (problem) {
    // A result that cannot be copied, such as a function. Of an error whose cause cannot be copied, the rest counts.
    const thrown = 'error' in reply ? reply.error : undefined
    send({ error: thrown instanceof Error && !types.isProxy(thrown) ? withoutCause(thrown) : problem })
  }
}

/** What of an error can always be copied. */
const withoutCause = ({ message, stack }: Error) => Object.assign(new Error(message), { stack })

if (parentPort) {
  const port: MessagePort = workerData.port
  const send = (reply: Reply) => port.postMessage(reply)
  port.on('message', async (task: unknown) => sendWhole(await replyTo(task), send))
  port.on('messageerror', (error) => send({ error }))
} else {
  const send = (reply: Reply, isLast = false) => {
    // A process copies a DOMException, such as a signal's TimeoutError, without its message.
    const isDom = 'error' in reply && reply.error instanceof DOMException
    const bytes = serialize(isDom ? { error: withoutCause(reply.error as DOMException) } : reply)
    const message: KeyedReply = { key, bytes, isLast }
    process.send?.(message, undefined, undefined, (error) => {
      // A process whose replies cannot arrive is of no use.
      if (error || isLast) process.exit(1)
    })
  }
  process.on('message', async (bytes: Uint8Array) => {
    let task: unknown
    try {
      task = deserialize(bytes)
    } catch (error) {
      return send({ error })
    }
    sendWhole(await replyTo(task), send)
  })
  // What nobody catches, such as an error in a timer of a task, ends a process as it ends a thread: with its cause.
  process.on('uncaughtException', (error) => sendWhole({ error }, (reply) => send(reply, true)))
  ready()
}
