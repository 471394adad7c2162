/** mergesort and Ctrl-C; and beside Celery, whose workers throughput.test.ts starts in the same way. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { findPython, installPython } from '../../src/celery/python.ts'
import { describeRedis } from '../fixtures/layer.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))
const celery = { name: 'Celery', found: await findPython('celery'), install: installPython.celery }

describeRedis('the example', () => {
  describeReal('with Celery', celery, () => {
    it('shows how long Celery takes for the same', async () => {
      // In both ways: mergesort.test.ts runs beside this one, and its picture may be this one's.
      const args = ['--quick', '--json', '--n', '20000', '--workers', '2', '--celery']
      const run = await runExample(chapter, 'mergesort', args)
      expect(run).toMatchObject({ code: 0 })
      const { celery, sorted } = run.json<{ sorted: boolean; celery?: object }>()
      const took = { ms: expect.any(Number) }
      expect({ sorted, celery }).toMatchObject({ sorted: true, celery: { book: took, plain: took } })
      expect(await run.leftBehind()).toEqual([])
    })
  })

  it('stops at Ctrl-C and leaves nothing behind', async () => {
    const run = await runExample(chapter, 'mergesort', [], { interruptWhen: /integers in/ })
    expect(run.code).toBe(130)
    expect(run.stderr).not.toContain('error')
    expect(await run.leftBehind()).toEqual([])
  })
})
