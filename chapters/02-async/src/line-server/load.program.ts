/** The clients as a process of their own, so that they share a thread neither with the server nor with the example. */
import { ready } from '@repo/common/process/ready'
import { type Connection, type Load, openMany, putLoad } from './load.ts'

export type LoadTask =
  | { task: 'load'; load: Load }
  | { task: 'open'; port: number; total: number }
  | { task: 'ask all' }

/** What comes back for a task: any number of progress messages, then one of the others. */
export type LoadMessage = { progress: number } | { error: string } | { result: unknown }

const tell = (message: LoadMessage) => process.send?.(message)

let held: Connection[] = []

async function answer(task: LoadTask): Promise<unknown> {
  if (task.task === 'load') return await putLoad(task.load)
  if (task.task === 'open') {
    held = await openMany(task.port, task.total, (open) => tell({ progress: open }))
    return held.length
  }
  const start = performance.now()
  const answers = await Promise.all(held.map((connection) => connection.ask('whale')))
  return { right: answers.filter((line) => /^whale [1-9]\d*$/.test(line)).length, ms: performance.now() - start }
}

process.on('message', async (task: LoadTask) => {
  try {
    tell({ result: await answer(task) })
  } catch (error) {
    tell({ error: (error as Error).message })
  }
})
for (const end of ['SIGTERM', 'disconnect'] as const) {
  process.on(end, () => {
    for (const connection of held) connection[Symbol.dispose]()
    process.exit()
  })
}
ready()
