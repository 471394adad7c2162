/** What the examples are for besides their work, and how they explain themselves. */
import { runHere } from '@repo/common/testing/run-here'
import { describe, expect, it } from 'vitest'
import privateCloud from '../examples/private-cloud.ts'
import s3 from '../examples/s3.ts'
import spot from '../examples/spot.ts'
import wordcount from '../examples/wordcount.ts'

describe('s3', () => {
  it('removes what killed runs have left behind', async () => {
    const run = await runHere(s3, '--clean', '--json')
    expect(run.json()).toEqual({ removed: { buckets: [], queues: [] } })
  })
})

it.each(Object.entries({ wordcount, s3, spot, 'private-cloud': privateCloud }))(
  '%s explains itself',
  async (name, example) => {
    const run = await runHere(example, '--help')
    expect(run.code).toBe(0)
    expect(run.stdout).toContain(`Usage: ${name} [options]`)
  },
)
