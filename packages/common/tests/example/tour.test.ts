import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
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

  test('writes the same as a page, beside the pictures that it shows, and ends with its path', async () => {
    await writeFile(join(root, 'chapters', '01-good', 'README.md'), '# Chapter 1: <good>\n')
    const run = await tour(['01-good', '02-bad'])
    expect(run.stdout.trimEnd().split('\n').at(-1)).toBe(`All of it with its pictures: ${join('out', 'index.html')}`)
    const page = await readFile(join(root, 'out', 'index.html'), 'utf8')
    expect(page).toContain('<img src="01-good/drawn.svg"')
    expect(page).toContain('<p class="figure">7 things done</p>')
    expect(page).toContain('<p class="figure">failed: the disk is full: no space left</p>')
    expect(page).toContain('Chapter 1: &lt;good&gt;')
    expect(page).not.toContain(root)
  })

  test('evaluates the claims about the quick form on the results that it has; broken ones are a warning', async () => {
    const folder = join(root, 'chapters', '01-good', 'claims')
    await mkdir(folder, { recursive: true })
    await writeFile(
      join(folder, 'draws.ts'),
      `import { claims } from ${JSON.stringify(join(source, 'claims.ts'))}
       import draws from '../examples/draws.ts'
       export default claims(draws, {
         three: { says: 'Three things.', holds: ({ done }) => done === 3 },
         many: { says: 'Many things.', holds: ({ done }) => done > 99, values: ({ done }) => done + ' things' },
         slow: { says: 'In full.', holds: () => true, args: ['--quick', '--n', '5'] },
       })`,
    )
    await writeFile(join(folder, 'counts.ts'), `throw new Error('no claims')`)
    const run = await tour(['01-good'])
    await rm(folder, { recursive: true })
    expect(run.code).toBe(0)
    expect(run.stderr).toMatch(/^warning: .*counts\.ts: no claims$/m)
    const page = await readFile(join(root, 'out', 'index.html'), 'utf8')
    expect(page).toContain('2 examples ran; 1 of 2 claims of the text held, 1 did not.')
    expect(page).toMatch(/Three things\. <span class="quiet">holds</)
    expect(page).toMatch(/Many things\. <span class="quiet">does not hold here: 3 things</)
    expect(page).not.toContain('In full. <span')
  })

  test('warns where the page cannot be written, and leaves what was there', async () => {
    await rm(join(root, 'out'), { recursive: true, force: true })
    await mkdir(join(root, 'out', 'index.html', 'taken'), { recursive: true })
    const run = await tour(['01-good'])
    await rm(join(root, 'out', 'index.html'), { recursive: true })
    expect(run.code).toBe(0)
    expect(run.stderr).toMatch(/^warning: out.index\.html cannot be written: E[A-Z]+: .*$/m)
    expect(run.stdout).toContain('3 things done')
    expect(run.stdout).not.toContain('index.html')
    expect(await readdir(join(root, 'out'))).toEqual(['01-good'])
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
    await mkdir(join(root, 'out'), { recursive: true })
    await writeFile(join(root, 'out', 'index.html'), 'the page of another run')
    const run = await tour(['03-slow'], { interruptWhen: /waiting/ })
    expect(run.code).toBe(130)
    expect(run.stderr).toContain('cleaned up')
    expect(run.stderr).not.toMatch(/never|\n +at /)
    expect(run.stdout).toBe('')
    expect(await readFile(join(root, 'out', 'index.html'), 'utf8')).toBe('the page of another run')
    expect(await run.leftBehind()).toEqual([])
  })
})
