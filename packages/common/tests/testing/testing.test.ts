import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../src/process/temporary.ts'
import { runExample, runProgram } from '../../src/testing/testing.ts'

const common = fileURLToPath(new URL('../..', import.meta.url))

/** A temporary chapter with one example. */
async function chapterWith(source: string) {
  const folder = await temporaryFolder()
  await mkdir(join(folder.path, 'examples'))
  await writeFile(join(folder.path, 'examples', 'one.ts'), source)
  return folder
}

describe('a run of an example', () => {
  it('has an exit code, outputs and a document', async () => {
    await using chapter = await chapterWith(`
      const [name = ''] = process.argv.slice(2)
      console.log(JSON.stringify({ name, colour: process.env.COLOUR, cwd: process.cwd() }))
      console.error('noted')
      process.exitCode = 2 satisfies number`)
    const run = await runExample(chapter.path, 'one', ['x y'], { env: { COLOUR: 'red' } })
    expect(run).toMatchObject({ code: 2, signal: null, stderr: 'noted\n' })
    expect(run.json()).toEqual({ name: 'x y', colour: 'red', cwd: chapter.path })
    expect(await run.leftBehind(0)).toEqual([])
  })

  it('has no document if anything else is printed', async () => {
    await using chapter = await chapterWith(`console.log('{}'); console.log('done')`)
    const run = await runExample(chapter.path, 'one')
    expect(() => run.json()).toThrow('examples/one.ts ended with 0 and did not print one JSON document:\n{}\ndone')
  })

  it('can be interrupted when it prints a certain text', async () => {
    await using chapter = await chapterWith(`
      process.on('SIGINT', () => process.exit(130))
      console.error('half way')
      setInterval(() => {}, 1000)`)
    expect((await runExample(chapter.path, 'one', [], { interruptWhen: /half/ })).code).toBe(130)
  })

  it('ends when it takes too long or is aborted', async () => {
    await using chapter = await chapterWith(`console.log('thinking'); for (;;);`)
    await expect(runExample(chapter.path, 'one', [], { timeoutMs: 200 })).rejects.toThrow(
      /^examples.one\.ts took longer than 0\.2 s; its output:\n/,
    )
    await expect(runExample(chapter.path, 'one', [], { signal: AbortSignal.timeout(200) })).rejects.toThrow('aborted')
  })

  it('finds the processes that it left behind', async () => {
    await using chapter = await chapterWith(`
      import { spawn } from 'node:child_process'
      spawn(process.execPath, ['-e', 'setTimeout(() => {}, 600_000)'], { detached: true, stdio: 'ignore' }).unref()`)
    const run = await runExample(chapter.path, 'one')
    const left = await run.leftBehind(0)
    for (const line of left) process.kill(Number.parseInt(line, 10))
    expect(left).toEqual([expect.stringContaining('setTimeout')])
    expect(await run.leftBehind()).toEqual([])
  })
})

it('runs any program of a package', async () => {
  expect((await runProgram('tests/fixtures/child.ts', ['exit'], { cwd: common })).code).toBe(3)
})
