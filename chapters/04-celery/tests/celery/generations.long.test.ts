/** The generation of Celery that generations.test.ts does not test; and our results for each, without an example. */
import { startRedis } from '@repo/common/servers/redis'
import { describe, expect, it } from 'vitest'
import { callFromPython } from '../../src/celery/programs.ts'
import { celeryTasks } from '../../src/celery/tasks.ts'
import { serveCelery } from '../../src/celery/worker.ts'
import { describeGeneration, first, fromTypeScript, queue, second, servesUs } from '../fixtures/celery-generations.ts'

describe.concurrent('the real Celery', () => {
  describeGeneration(second, servesUs)

  for (const generation of [first, second]) {
    describeGeneration(generation, (python) => {
      it('gets our results and errors', async () => {
        await using server = await startRedis()
        const stop = new AbortController()
        const served = serveCelery(server.url, queue, celeryTasks, { concurrency: 10, signal: stop.signal })
        await using _served = {
          async [Symbol.asyncDispose]() {
            stop.abort()
            await served
          },
        }
        expect(await callFromPython(python, { url: server.url, queue })).toMatchObject(fromTypeScript)
      })
    })
  }
})
