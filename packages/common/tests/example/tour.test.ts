import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runProgram } from '../../src/testing/testing.ts'

const source = join(import.meta.dirname, '..', '..', 'src', 'example')
let root: string

/** A repository of three chapters: one works, in one everything goes wrong, and one takes long. */
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tour-'))
  await writeFile(join(root, 'pnpm-workspace.yaml'), '')
  await chapter('01-good', ['draws', 'counts'], {
    draws: `return { picture: await picture('drawn.svg', '<svg/>'), done: quick ? 3 : 300 }`,
    counts: `return { done: 7 }`,
    extra: `return { done: 11 }`,
  })
  await chapter('02-bad', ['throws', 'crashes', 'absent', 'works'], {
    throws: `if (signal) throw new Error('the disk is full', { cause: new Error('no space left') })`,
    crashes: `process.kill(process.pid, 'SIGKILL')`,
    works: `return { done: 5 }`,
  })
  await chapter('03-slow', ['waits', 'never'], {
    waits: `process.stderr.write('waiting\\n')
      try { await delay(60_000, undefined, { signal }) }
      finally { await delay(200); process.stderr.write('cleaned up\\n') }`,
    never: `return { done: 1 }`,
  })
})
afterAll(() => rm(root, { recursive: true, force: true }))

async function chapter(name: string, tour: string[], examples: Record<string, string>) {
  const folder = join(root, 'chapters', name)
  await mkdir(join(folder, 'examples'), { recursive: true })
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', tour }))
  for (const [example, body] of Object.entries(examples)) {
    await writeFile(
      join(folder, 'examples', `${example}.ts`),
      `/** ${example}: what ${example} shows */
       import { setTimeout as delay } from 'node:timers/promises'
       import { example } from ${JSON.stringify(join(source, 'example.ts'))}
       export default example(import.meta, {
         options: {},
         run: async (_, { signal, quick, picture }) => { ${body} },
         figure: ({ done }) => \`\${done} things done\`,
       })`,
    )
  }
}

const tour = (args: string[], options = {}) =>
  runProgram(join(source, 'tour.program.ts'), args, { cwd: root, ...options })

describe('the tour', () => {
  test('ends with a table of the examples: their summaries, figures with --quick, and pictures; of all with --all', async () => {
    const run = await tour(['--all', '01-good'])
    expect(run.code).toBe(0)
    expect(run.stdout).toMatch(/01-good +draws: what draws shows +3 things done +out\/01-good\/drawn\.svg/)
    expect(run.stdout).toMatch(/01-good +counts: what counts shows +7 things done/)
    expect(run.stdout).toMatch(/01-good +extra: what extra shows +11 things done/)
    expect(run.stdout).toContain('--filter 01-good start counts')
  })

  test("shows the chapters' tours, continues after a failure, lists each in the table, and fails in the end", async () => {
    const run = await tour(['02-bad', '09-none', '01-good'])
    expect(run.code).toBe(1)
    expect(run.stdout.replaceAll(/\s+/g, ' ')).toContain(
      'throws: what throws shows failed: the disk is full: no space left',
    )
    expect(run.stdout).toMatch(/crashes: what crashes shows +failed: it ended with SIGKILL/)
    expect(run.stdout).toMatch(/failed: there is no/)
    expect(run.stdout).toMatch(/02-bad +works: what works shows +5 things done/)
    expect(run.stdout).toMatch(/09-none +failed: ENOENT/)
    expect(run.stdout).toMatch(/01-good +counts: what counts shows +7 things done/)
    expect(run.stdout).toContain('--filter 02-bad start works')
    // It is not in the chapter's tour.
    expect(run.stdout).not.toContain('extra')
  })

  test('stops at Ctrl-C once the running example has cleaned up, and prints no stack', async () => {
    const run = await tour(['03-slow'], { interruptWhen: /waiting/ })
    expect(run.code).toBe(130)
    expect(run.stderr).toContain('cleaned up')
    expect(run.stderr).not.toMatch(/never|\n +at /)
    expect(run.stdout).toBe('')
    expect(await run.leftBehind()).toEqual([])
  })
})
