/** What a reader writes for tasks of their own: the files of `own-project`, and `worker --tasks`. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loader, startServer } from '@repo/common/process/child'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runProgram } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'
import * as own from '../../own-project/tasks.ts'
import { loadTasks } from '../../src/tasks/load-tasks.ts'
import { describeRedis, useLayer } from '../fixtures/layer.ts'
import { chapter, workerProgram } from '../fixtures/worker-program.ts'

const tasksFile = join(chapter, 'own-project/tasks.ts')
const layer = useLayer()

async function withFile(source: string, use: (file: string) => Promise<void>) {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'tasks.ts')
  await writeFile(file, source)
  await use(file)
}

describe('the tasks of a file', () => {
  it('are all that it exports, by any name, alone and in lists, once', async () => {
    expect(new Set((await loadTasks(tasksFile)).tasks)).toEqual(new Set(Object.values(own)))
    const index = await loadTasks(join(chapter, 'src/tasks/index.ts'))
    expect(index.tasks.map(({ name }) => name)).toEqual(expect.arrayContaining(['echo', 'add', 'mail.send']))
    expect(new Set(index.tasks).size).toBe(index.tasks.length)
    expect(index.routes).toEqual({ 'mail.*': 'mail', 'image.*': 'images' })
    expect(index.queueSettings).toEqual({ urgent: { priorities: true } })
  })

  it.each([
    [
      'export const tasks = [], add = () => {}',
      'accepts a module that exports tasks made by defineTask; this one exports ',
    ],
    ['', 'this one exports nothing'],
    ['export const tasks = [', 'cannot be loaded: '],
    [
      "import { defineTask } from './no-such-file.ts'\nexport const t = defineTask({})",
      'cannot be loaded: Cannot find module',
    ],
    ["throw new Error('MAIL_HOST is not set')", 'cannot be loaded: MAIL_HOST is not set'],
  ])('refuse %j', async (source, line) => {
    await withFile(source, async (file) => {
      await expect(loadTasks(file)).rejects.toThrow('--tasks: ')
      await expect(loadTasks(file)).rejects.toThrow(line)
    })
  })

  it('refuse a file that is not there, or is a folder', async () => {
    for (const file of [join(chapter, 'no-such-file.ts'), chapter]) {
      await expect(loadTasks(file)).rejects.toThrow(`--tasks: received "${file}"; accepts the path of an existing file`)
    }
  })
})

describeRedis('a project of your own', () => {
  it.each([
    ['worker --tasks', [workerProgram, '--tasks', tasksFile]],
    ['a worker of its own', ['own-project/worker.ts']],
  ])('has a client, and %s that runs its tasks and ends cleanly', async (_, args) => {
    const env = { REDIS_URL: layer.redis.url }
    const command = { command: process.execPath, args: [...loader(), ...args], cwd: chapter, env }
    await using worker = await startServer({ ...command, ready: /is ready/ })
    const { code, stdout, stderr } = await runProgram('own-project/client.ts', [], { cwd: chapter, env })
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: 'invoice: 599\ncharge: Ada paid 599 cents, try 3\nchord: 600\n',
      stderr: '',
    })
    expect(await worker.stop()).toEqual({ code: 0, signal: null })
  })

  it('has a worker that refuses a file in one line', async () => {
    await withFile('export const tasks = [', async (file) => {
      const env = { REDIS_URL: layer.redis.url }
      const { code, stderr } = await runProgram(workerProgram, ['--tasks', file], { cwd: chapter, env })
      expect(code).toBe(1)
      expect(stderr).toMatch(/^error: --tasks: \S+tasks\.ts cannot be loaded: [^\n]+\n$/)
    })
  })
})
