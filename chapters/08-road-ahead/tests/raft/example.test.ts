/** The example `raft`: what it finds, and what it refuses. */
import { readFile } from 'node:fs/promises'
import { runHere } from '@repo/common/testing/run-here'
import { describe, expect, it } from 'vitest'
import raft from '../../examples/raft.ts'

describe('raft', () => {
  it('finds a mistake, and draws its shortest history', async () => {
    const run = await runHere(raft, '--quick', '--json', '--mistake', 'half is enough', '--seed', '2')
    expect(run, run.stderr).toMatchObject({ code: 0 })
    const { versions, picture } = run.json<{
      versions: { mistake: string; violation: object; faults: number; events: number }[]
      picture: string
    }>()
    expect(versions).toHaveLength(1)
    expect(versions[0]).toMatchObject({ mistake: 'half is enough', violation: { rule: expect.any(String) } })
    expect(versions[0]?.events).toBeLessThanOrEqual(40)
    expect(await readFile(picture, 'utf8')).toContain('half is enough')
  })

  it('fails when it does not find what is there', async () => {
    const run = await runHere(raft, '--mistake', 'counts old terms', '--histories', '1')
    expect(run).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not found in 1 history: counts old terms'),
    })
  })

  it('refuses a mistake for the correct version', async () => {
    const run = await runHere(raft, '--correct', '--mistake', 'reads alone', '--histories', '1')
    expect(run).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^.*--mistake: received .*\n$/) })
  })

  it('prints its help', async () => {
    const { stdout } = await runHere(raft, '--help')
    expect(stdout).toMatch(/--processes/)
  })

  it.each([{ servers: '4' }, { histories: '0' }, { mistake: 'sleeps' }, { requests: '51' }, { seed: 'x' }])(
    'refuses %j',
    async (options) => {
      const [[name, value] = []] = Object.entries(options)
      const run = await runHere(raft, `--${name}`, String(value))
      expect(run).toMatchObject({ code: 2, stdout: '' })
      expect(run.stderr).toMatch(new RegExp(`^.*--${name}: received "${value}"; accepts .*\n$`))
    },
  )
})
