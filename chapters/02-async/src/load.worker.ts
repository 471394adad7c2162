/** The clients as a process of their own, so that they do not share a thread with the server or with the progress. */
import { ready } from '@repo/common/ready'
import { type Connection, type Load, openMany, putLoad } from './load.ts'

export type LoadTask =
  | { task: 'load'; load: Load }
  | { task: 'open'; port: number; total: number }
  | { task: 'ask all' }

let held: Connection[] = []

async function answer(task: LoadTask): Promise<unknown> {
  if (task.task === 'load') return await putLoad(task.load)
  if (task.task === 'open') {
    held = await openMany(task.port, task.total, (open) => process.send?.({ progress: open }))
    return held.length
  }
  const start = performance.now()
  const answers = await Promise.all(held.map((connection) => connection.ask('whale')))
  return { right: answers.filter((line) => /^whale [1-9]\d*$/.test(line)).length, ms: performance.now() - start }
}

process.on('message', async (task: LoadTask) => {
  try {
    process.send?.({ result: await answer(task) })
  } catch (error) {
    process.send?.({ error: (error as Error).message })
  }
})
for (const end of ['SIGTERM', 'disconnect'] as const) {
  process.on(end, () => {
    for (const connection of held) connection[Symbol.dispose]()
    process.exit()
  })
}
ready()
