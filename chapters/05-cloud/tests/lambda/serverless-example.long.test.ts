/** serverless by its result, and as a process that is interrupted. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { expect, it } from 'vitest'
import serverless from '../../examples/serverless.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

it('serverless counts the words that one thread counts, in both ways', async () => {
  const result = await serverless.run({ texts: 12, twice: 3, jobs: 4, visibility: 2, runtime: 'host' })
  expect(result).toMatchObject({ texts: 12, objects: 12, runtime: 'host', deadLetters: 1, failures: 3 })
  expect(result.durable).toMatchObject({ jobs: 4, lives: 2, words: result.words })
  expect(result.durable.replayed).toBeGreaterThanOrEqual(2)
  expect(result.countedAlready).toBeGreaterThanOrEqual(3)
  expect(result.mostAtOnce).toBeLessThanOrEqual(2)
  expect(result.starts.cold.invocations).toBeGreaterThan(0)
  expect(result.durable.replayed + result.durable.begun).toBe(4)
})

it('serverless stops on Ctrl-C with 130, and leaves nothing behind', async () => {
  const run = await runExample(chapter, 'serverless', ['--quick'], { interruptWhen: /counting/ })
  expect(run.code).toBe(130)
  expect(await run.leftBehind()).toEqual([])
})
