import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { readChapter } from '@repo/common/example/chapter'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'

const chapter = dirname(fileURLToPath(new URL('.', import.meta.url)))
const { examples } = await readChapter(chapter)

describe.concurrent.each(examples)('$name', ({ name, summary }) => {
  it('explains itself', async () => {
    const { code, stdout } = await runExample(chapter, name, ['--help'])
    expect(code).toBe(0)
    expect(stdout).toContain(`${name}: ${summary}`)
    expect(stdout).toContain(`pnpm --filter 02-async start ${name}`)
    expect(stdout).toContain('--quick')
  })

  it('refuses an option it does not know', async () => {
    const { code, stdout, stderr } = await runExample(chapter, name, ['--no-such-option'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: option: received "--no-such-option"; accepts --[^\n]+\n$/)
  })

  it('ends quietly when nobody reads its output', async () => {
    const short: Record<string, string[]> = {
      'event-loop': ['--rounds', '1'],
      backpressure: ['--megabytes', '5'],
      'fetch-many': ['--latency', '10'],
      server: ['--seconds', '0.1', '--connections', '10'],
    }
    const args = ['--import', 'tsx', `examples/${name}.ts`, '--quick', ...(short[name] ?? [])]
    const child = spawn(process.execPath, args, { cwd: chapter, stdio: ['ignore', 'pipe', 'pipe'] })
    // As `| head -1` does.
    child.stdout.once('data', () => child.stdout.destroy())
    const [stderr, [code, signal]] = await Promise.all([text(child.stderr), once(child, 'close')])
    expect({ code, signal }).toEqual({ code: 0, signal: null })
    expect(stderr).not.toMatch(/error/i)
  })
})

it.each(['grep', 'server', 'backpressure'])('%s stops at Ctrl-C and leaves nothing behind', async (name) => {
  const args: Record<string, string[]> = { grep: ['--rounds', '1000'], server: [], backpressure: ['--consume', '50'] }
  const run = await runExample(chapter, name, args[name], { interruptWhen: /Looking|ask|Sending/ })
  expect(run.code, run.stderr).toBe(130)
  expect(await run.leftBehind()).toEqual([])
})

it.each(['one by one', 'blocked'])('fetch-many stops at Ctrl-C while it fetches %s', async (how) => {
  // 4 × 8 pages: of the plain lines of progress the first comes while it fetches one by one, the tenth when it is
  // blocked.
  const args = ['--latency', '400', '--pages', '8', '--json']
  const run = await runExample(chapter, 'fetch-many', args, {
    interruptWhen: how === 'blocked' ? /\((9|1\d) of/ : /of 32/,
  })
  expect(run.code).toBe(130)
  expect(await run.leftBehind()).toEqual([])
})
