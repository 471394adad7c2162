/** `npm run copy-out`: what it refuses, what it copies, and that it leaves nothing half-written. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { runProgram } from '../../src/testing/testing.ts'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const program = join(root, 'setup/copy-out.mjs')
const copyOut = (args: string[], env: NodeJS.ProcessEnv = {}) => runProgram(program, args, { env })

describe('copy-out', () => {
  it.each([
    [[], 'chapter: received ""; accepts 01-intro, 02-async, '],
    [['99', 'TARGET'], 'chapter: received "99"; accepts 01-intro, 02-async, '],
    [['04-celery/nothing', 'TARGET'], 'room: received "nothing"; accepts canvas, celery, '],
    [['04-celery/', 'TARGET'], 'room: received ""; accepts canvas, celery, '],
    [['04-celery/queue/client.ts', 'TARGET'], 'room: received "queue/client.ts"; accepts canvas, '],
    [['04-celery'], 'target: received nothing; accepts the path of a new or empty folder'],
    [['04-celery', 'TARGET', 'more'], 'operand: received "more"; accepts only CHAPTER[/ROOM] and TARGET'],
    [['04-celery', 'TARGET/a/b'], '/a/b"; accepts a folder whose parent exists: '],
    [['04-celery', root], '"; accepts a folder outside of this repository'],
    [['04-celery', join(root, 'chapters/copy')], '"; accepts a folder outside of this repository'],
  ])('refuses %j in one line', async (args, line) => {
    await using folder = await temporaryFolder()
    const target = join(folder.path, 'target')
    const { code, stdout, stderr } = await copyOut(args.map((arg) => arg.replace('TARGET', target)))
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: [^\n]+\n$/)
    expect(stderr).toContain(line)
    expect(await readdir(folder.path)).toEqual([])
  })

  it('refuses a folder that is not empty, and a file, and leaves both alone', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'notes.txt')
    await writeFile(file, 'mine')
    for (const [target, accepted] of [
      [folder.path, 'a new or empty folder'],
      [file, 'a folder that can be read: ENOTDIR: not a directory'],
    ] as const) {
      const { code, stderr } = await copyOut(['01', target])
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: `error: target: received "${target}"; accepts ${accepted}\n`,
      })
    }
    expect(await readdir(folder.path)).toEqual(['notes.txt'])
    expect(await readFile(file, 'utf8')).toBe('mine')
  })

  it.each([false, true])(
    'says why a file cannot be written, and leaves nothing (the folder exists: %s)',
    async (exists) => {
      await using folder = await temporaryFolder()
      const target = join(folder.path, 'target')
      if (exists) await mkdir(target)
      // No file may have more than some kilobytes: a write fails midway, as on a full disk.
      const limited = `trap '' XFSZ; ulimit -f 8; exec "$@"`
      const run = promisify(execFile)('sh', ['-c', limited, 'sh', process.execPath, program, '01', target])
      await expect(run).rejects.toMatchObject({
        code: 1,
        stdout: '',
        stderr: `error: ${target} cannot be written: EFBIG: file too large\n`,
      })
      expect(await readdir(folder.path, { recursive: true })).toEqual(exists ? ['target'] : [])
    },
  )

  it('leaves nothing after Ctrl-C', async () => {
    await using folder = await temporaryFolder()
    // The first file that is written presses it.
    const press = `import fs from 'node:fs'
      import { syncBuiltinESMExports } from 'node:module'
      const write = fs.writeFileSync
      fs.writeFileSync = (...args) => {
        write(...args)
        fs.writeFileSync = write
        syncBuiltinESMExports()
        process.kill(process.pid, 'SIGINT')
      }
      syncBuiltinESMExports()`
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(press)}`
    const { code, stdout } = await copyOut(['01', join(folder.path, 'target')], { NODE_OPTIONS })
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' })
    expect(await readdir(folder.path)).toEqual([])
  })

  it('copies a room with what it reaches and nothing else', async () => {
    await using folder = await temporaryFolder()
    const target = join(folder.path, 'My Pool')
    const { code, stdout, stderr } = await copyOut(['03/pool', target], { INIT_CWD: folder.path })
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^\d+ files of 03-parallel\/pool are in My Pool\n$/),
      stderr: 'What to do next: cd "My Pool" && npm install && npm test\n',
    })
    // A worker that only a URL names, a fixture of which the tests know only the folder, and a script of common.
    for (const file of [
      'src/pool/pool.worker.ts',
      'tests/fixtures/hangs-up.ts',
      'packages/common/src/process/reaper.mjs',
    ]) {
      expect(existsSync(join(target, file)), file).toBe(true)
    }
    for (const file of [
      'src/similarity',
      'examples',
      'packages/simulator',
      'packages/common/src/servers',
      'packages/common/tests',
    ]) {
      expect(existsSync(join(target, file)), file).toBe(false)
    }
    const manifest = JSON.parse(await readFile(join(target, 'package.json'), 'utf8'))
    expect(manifest).toMatchObject({ name: 'my-pool', scripts: { test: 'vitest run' } })
    const versions = Object.values({ ...manifest.dependencies, ...manifest.devDependencies })
    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(String(version)))).toEqual([])
    const readme = await readFile(join(target, 'README.md'), 'utf8')
    expect(readme).toMatch(/^# my-pool\n\n.*`src\/pool` of chapter `03-parallel`.*\n.*at commit [0-9a-f]{40} of /)
  })

  it('renames a chapter, and turns the paths that lead out of it', async () => {
    await using folder = await temporaryFolder()
    const target = join(folder.path, 'my-queue')
    expect((await copyOut(['04-celery', target])).code).toBe(0)
    const read = (file: string) => readFile(join(target, file), 'utf8')
    expect(await read('own-project/tasks.ts')).toContain("from 'my-queue/queue/task'")
    const readme = await read('README.md')
    expect(readme).toContain("from 'my-queue/queue/task'")
    // A link into another part of the book keeps only its text.
    expect(readme).not.toMatch(/\]\(\.\.\//)
    expect(JSON.parse(await read('package.json')).exports).toHaveProperty('./queue/*')

    const cluster = join(folder.path, 'cluster')
    expect((await copyOut(['06-hpc/cluster', cluster])).code).toBe(0)
    expect(await readFile(join(cluster, 'src/cluster/run.ts'), 'utf8')).toContain('new URL(`../../out/06-hpc/runs/')
  })
})
