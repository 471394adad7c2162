import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { findOpenSsh, installOpenSsh } from '../../src/real/open-ssh.ts'

const chapter = join(import.meta.dirname, '../..')

interface Measured {
  way: string
  ms: number
  perSecond: number
  speedup: number
}

describeReal('ssh', { name: 'OpenSSH', found: await findOpenSsh(), install: installOpenSsh }, () => {
  it('measures every way to run commands and to fetch files, and draws them', async () => {
    const run = await runExample(chapter, 'ssh', ['--quick', '--json', '--results', '20', '--rtt', '2'])
    expect(run.stderr).not.toContain('error')
    expect(run.code).toBe(0)
    const { target, results, rttMs, commands, files, picture } = run.json<{
      target: string
      results: number
      rttMs: number
      commands: Measured[]
      files: Measured[]
      picture: string
    }>()
    expect({ target, results, rttMs }).toEqual({ target: 'OpenSSH on this machine', results: 20, rttMs: 2 })
    expect(commands.map(({ way }) => way)).toEqual([
      'ssh for each',
      'ssh for each, 10 at a time',
      'ssh with ControlMaster, 10 at a time',
      'one connection',
      'one connection, 10 at a time',
    ])
    expect(files.map(({ way }) => way)).toEqual(
      expect.arrayContaining(['one after the other', 'all asked for at once', 'download, with checksums']),
    )
    for (const { ms, perSecond } of [...commands, ...files]) expect(perSecond).toBeCloseTo(1_000 / ms, 6)
    // The time for one is compared with that of the first way for commands run together.
    const base = commands[1]?.ms ?? Number.NaN
    for (const { ms, speedup } of commands) expect(speedup).toBeCloseTo(base / ms, 6)
    expect(run.json()).toMatchObject({ bestSerialMs: commands[3]?.ms, filesCost: { bestSerialMs: expect.any(Number) } })
    expect(await readFile(picture, 'utf8')).toContain('one connection, 10 at a time')
    expect(await run.leftBehind()).toEqual([])
  })

  it('stops on Ctrl-C with nothing left behind', async () => {
    const run = await runExample(chapter, 'ssh', ['--rounds', '100'], { interruptWhen: /small files/ })
    expect(run.code).toBe(130)
    expect(await run.leftBehind()).toEqual([])
  })
})
