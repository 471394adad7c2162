/**
 * The real Celery: it runs our tasks, and gets our results. generations.long.test.ts tests the other generation, where two
 * are here.
 */
import { fileURLToPath } from 'node:url'
import { startRedis } from '@repo/common/servers/redis'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import type { PythonReply } from '../../src/celery/programs.ts'
import { describeGeneration, first, fromTypeScript, servesUs } from '../fixtures/celery-generations.ts'
import { redisAt } from '../fixtures/redis-at.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

// What they wait for is not the processor: together they take little longer than one alone.
describe.concurrent('the real Celery', () => {
  describeGeneration(first, servesUs)

  describeGeneration({ ...first, title: 'celery-interop' }, () => {
    it('shows both directions to a reader, and leaves nothing behind', async () => {
      await using server = await startRedis({ own: true })
      const run = await runExample(chapter, 'celery-interop', ['--json'], { env: { REDIS_URL: server.url } })
      expect(run, run.stderr).toMatchObject({ code: 0 })
      type Reply = { task: string; states: string[]; result?: unknown; error?: object; traceback?: string }
      const { toPython, fromPython } = run.json<{ toPython: Reply[]; fromPython: PythonReply[] }>()
      expect(toPython).toMatchObject([
        { task: 'add', states: ['SUCCESS'], result: 5 },
        { task: 'count_words', states: ['SUCCESS'], result: { to: 2, be: 2 } },
        {
          task: 'divide',
          states: ['FAILURE'],
          error: { type: 'ZeroDivisionError', message: 'divide failed: ZeroDivisionError: division by zero' },
        },
        { task: 'add', states: ['FAILURE'], error: { type: 'TypeError' } },
        { task: 'flaky', states: ['RETRY', 'RETRY', 'SUCCESS'], result: 'done at attempt 3' },
        { task: 'report', states: ['PROGRESS', 'PROGRESS', 'SUCCESS'], result: 3 },
        { task: 'os.system', states: ['FAILURE'], error: { type: 'NotRegistered' } },
      ])
      expect(toPython[2]?.traceback).toMatch(/^Traceback[\s\S]*celery_tasks\.py[\s\S]*return x \/ by/)
      expect(fromPython).toMatchObject(fromTypeScript)
      expect(await run.leftBehind()).toEqual([])
      expect(await redisAt(server.url, (redis) => redis.keys('*'))).toEqual([])
    })
  })
})
