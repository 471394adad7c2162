/** What takes instances and beanstalk longer, and the same for other programs. */
import { fileURLToPath } from 'node:url'
import { startProxy } from '@repo/common/servers/proxy'
import { runExample } from '@repo/common/testing/testing'
import { mobyDick } from '@repo/common/workloads/texts'
import { expect, it } from 'vitest'
import instances from '../../examples/instances.ts'
import { keysOf } from '../../src/cloud/place.ts'
import { startPracticeCloud } from '../../src/local/practice-cloud.ts'
import { countWords } from '../../src/wordcount/word-counter.ts'
import { topWords } from '../../src/wordcount/words.ts'

const chapter = fileURLToPath(new URL('../..', import.meta.url))

it('instances returns what it did', async () => {
  expect(await instances.run({ count: 1 })).toMatchObject({
    on: 'processes on this machine',
    instances: ['local-1'],
    words: 1_789_020,
    minutes: 30,
  })
})

it('beanstalk serves until Ctrl-C, and leaves nothing behind', async () => {
  const run = await runExample(chapter, 'beanstalk', ['--serve'], { interruptWhen: /until Ctrl-C/ })
  expect(run.stdout).toMatch(/both are green: http:\/\/127\.0\.0\.1:\d+/)
  expect(run.code).toBe(130)
  expect(await run.leftBehind()).toEqual([])
})

it('instances stops on Ctrl-C with 130, and leaves nothing behind', async () => {
  await using cloud = await startPracticeCloud()
  // The way to the store leads through this process: the program is still busy when its output has been read here.
  await using way = await startProxy({ port: Number(new URL(cloud.place.url ?? '').port) })
  const env = { AWS_ENDPOINT_URL_S3: `http://${way.host}:${way.port}`, ...keysOf(cloud.place) }
  const run = await runExample(chapter, 'instances', [], { env, interruptWhen: /is running/ })
  expect(run.code).toBe(130)
  expect(run.stderr).not.toContain('error')
  expect(await run.leftBehind()).toEqual([])
})

it('beanstalk counts Moby-Dick through both tiers, and swaps versions without a failed request', async () => {
  const run = await runExample(chapter, 'beanstalk', ['--quick', '--json'])
  expect(run).toMatchObject({ code: 0 })
  const text = mobyDick()
    .map((chapter) => chapter.text)
    .join('\n')
  const result = run.json<{ swapped: { requests: number } }>()
  expect(result).toMatchObject({
    on: 'processes on this machine',
    words: 215_528,
    parts: 121,
    swapped: { failed: 0 },
    top: topWords(countWords(text), 10),
  })
  expect(result.swapped.requests).toBeGreaterThanOrEqual(200)
  expect(await run.leftBehind()).toEqual([])
})
