/** What a job's script does around the command, run by a real shell. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { until } from '@repo/common/async/until'
import { processesWith } from '@repo/common/process/marked'
import { temporaryFolder } from '@repo/common/process/temporary'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JobDescription } from '../../src/scheduler/job.ts'
import { jobScript } from '../../src/scheduler/script.ts'
import { hostileArgument } from '../hostile.ts'

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

async function start(job: Partial<JobDescription>, folder: string, environment: Record<string, string> = {}) {
  const text = jobScript({ name: 'job', command: ['true'], folder, ...job }, { header: ['#X'], taskId: '$NUMBER' })
  const file = join(folder, 'job.sh')
  await writeFile(file, text)
  return spawn('sh', [file], { cwd: '/', env: { ...process.env, ...environment }, stdio: 'ignore' })
}

describe.skipIf(process.platform === 'win32')("a job's script", () => {
  it('passes every argument and variable on unchanged, and leaves output and exit code in its folder', async () => {
    await using folder = await temporaryFolder()
    const print =
      'process.stdout.write(JSON.stringify([process.cwd(), process.env.A, ...process.argv.slice(1)])); process.exit(7)'
    await fc.assert(
      fc.asyncProperty(fc.array(hostileArgument, { maxLength: 4 }), hostileArgument, async (args, value) => {
        const script = await start(
          { command: [process.execPath, '-e', print, '--', ...args], environment: { A: value } },
          folder.path,
        )
        const [code] = await once(script, 'exit')
        const printed = await readFile(join(folder.path, 'job.out'), 'utf8')
        expect([code, await readFile(join(folder.path, 'job.exit'), 'utf8'), JSON.parse(printed)]).toEqual([
          7,
          '7\n',
          [folder.path, value, ...args],
        ])
      }),
      { numRuns: 12 },
    )
  })

  it('gives each task of an array its number and its own files', async () => {
    await using folder = await temporaryFolder()
    const script = await start({ command: ['sh', '-c', 'echo $TASK_ID; exit 3'], array: [4] }, folder.path, {
      NUMBER: '4',
    })
    await once(script, 'exit')
    expect(await readFile(join(folder.path, 'job.4.out'), 'utf8')).toBe('4\n')
    expect(await readFile(join(folder.path, 'job.4.exit'), 'utf8')).toBe('3\n')
  })

  it('forgets the exit code of an earlier run before it begins', async () => {
    await using folder = await temporaryFolder()
    const exit = join(folder.path, 'job.exit')
    await writeFile(exit, '0\n')
    const script = await start({ command: ['sh', '-c', 'test -e job.exit && echo "still there"; exit 5'] }, folder.path)
    await once(script, 'exit')
    expect(await readFile(join(folder.path, 'job.out'), 'utf8')).toBe('')
    expect(await readFile(exit, 'utf8')).toBe('5\n')
  })

  it('forwards SIGTERM to the command, and waits for it to finish', async () => {
    await using folder = await temporaryFolder()
    const command = ['sh', '-c', 'trap "echo saved; exit 42" TERM; echo begun; while :; do sleep 0.05; done']
    const script = await start({ command }, folder.path)
    await until(async () => (await readFile(join(folder.path, 'job.out'), 'utf8').catch(() => '')) === 'begun\n')
    script.kill('SIGTERM')
    const [code] = await once(script, 'exit')
    expect([code, await readFile(join(folder.path, 'job.out'), 'utf8')]).toEqual([42, 'begun\nsaved\n'])
  })

  it('warns the command before the end of its walltime, and leaves no timer behind', async () => {
    await using folder = await temporaryFolder()
    const warned = await start(
      {
        command: ['sh', '-c', 'trap "exit 9" TERM; while :; do sleep 0.05; done'],
        resources: { walltimeSeconds: 63 },
        warnSeconds: 60,
      },
      folder.path,
    )
    expect((await once(warned, 'exit'))[0]).toBe(9)
    const mark = randomUUID()
    const quick = await start({ resources: { walltimeSeconds: 3600 }, warnSeconds: 62 }, folder.path, { MARK: mark })
    expect((await once(quick, 'exit'))[0]).toBe(0)
    await until(async () => (await processesWith('MARK', mark)).length === 0)
  })

  it('does not run in another folder when its own has gone', async () => {
    await using folder = await temporaryFolder()
    const script = await start({ folder: join(folder.path, 'no'), command: ['touch', 'here'] }, folder.path)
    expect((await once(script, 'exit'))[0]).toBe(1)
    expect(await isThere('/here')).toBe(false)
  })
})
