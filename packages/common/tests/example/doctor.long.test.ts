/** What `npm run doctor` says about examples without Redis is what they do. */
import { symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { runExample } from '../../src/testing/testing.ts'

const setup = new URL('../../../../setup/', import.meta.url)
const { users } = (await import(new URL('needs.mjs', setup).href)) as {
  users: () => Map<string, { examples: string[]; optional: string[] }>
}
const { examples = [], optional = [] } = users().get('redis') ?? {}
/** They look for something else first. */
const needMore = [...users()].flatMap(([id, each]) => (id === 'redis' ? [] : each.examples))

/** The bench's suites take minutes, and differ without Redis in this only. */
const argsOf = (example: string) => (example === 'bench/suites' ? ['ladder', '--only', 'message,bullmq'] : [])

/** Some of them take a while where they do not stop for want of Redis, and five run at the same time. */
const timeoutMs = 280_000

/** Runs an example as on a machine without a Redis server. The practice cluster's jobs need a shell. */
const run = async (example: string) => {
  await using empty = await temporaryFolder()
  if (process.platform !== 'win32') await symlink('/bin/sh', join(empty.path, 'sh'))
  const env = { REDIS_URL: undefined, REDIS_SERVER: undefined, REDISMS_DOWNLOAD_DIR: empty.path, PATH: empty.path }
  const [chapter = '', name = ''] = [dirname(example), example.slice(dirname(example).length + 1)]
  const folder = join(fileURLToPath(setup), '..', chapter === 'bench' ? '' : 'chapters', chapter)
  return await runExample(folder, name, [...argsOf(example), '--quick', '--json'], { env, timeoutMs })
}

describe.concurrent('without Redis', { timeout: timeoutMs + 20_000 }, () => {
  it.each(examples.filter((example) => !needMore.includes(example)))('%s fails and says so', async (example) => {
    const { code, stderr } = await run(example)
    expect(stderr).toMatch(/^error: no Redis server on PATH: /m)
    expect(code).toBe(1)
  })

  it.each(optional)('%s goes on', async (example) => {
    expect(await run(example)).toMatchObject({ code: 0 })
  })
})
