import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Run, type RunOptions, runProgram } from '@repo/common/testing/testing'
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import { chapterWith, src } from './chapter.ts'

const running = leavesNothingRunning()

const programFile = join(src, 'exercise.program.ts')
const exercise = async (chapter: { path: string }, args: string[], options: RunOptions = {}): Promise<Run> =>
  await runProgram(programFile, args, { cwd: chapter.path, ...options })

describe('the program', () => {
  it('says what there is, and what is done', async () => {
    await using chapter = await chapterWith({ one: { 'exercise.ts': 'export const run = () => 1' }, two: {} })
    const first = await exercise(chapter, [])
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout).toContain('0 of 2 done\n  · one  A number\n  · two  A number\n')
    expect((await exercise(chapter, ['one'])).code).toBe(0)
    expect((await exercise(chapter, ['--'])).stdout).toContain('1 of 2 done\n  ✓ one')
    expect((await exercise(chapter, ['--json'])).json()).toMatchObject([
      { name: 'one', title: 'A number', passedAt: expect.any(String), hints: 0 },
      { name: 'two', hints: 0 },
    ])
  })

  it('has a help, and none of the exercises for a chapter without any', async () => {
    await using chapter = await chapterWith({})
    const help = await exercise(chapter, ['--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toMatch(/--watch .*\n.*--hint .*\n.*--solution /)
    expect((await exercise(chapter, [])).stdout).toContain('0 of 0 done')
  })

  it('refuses what it does not know, in one line', async () => {
    await using chapter = await chapterWith({ one: {}, two: {} })
    for (const [args, line] of [
      [['three'], 'error: exercise: received "three"; accepts one, two'],
      [['one', 'two'], 'error: exercise: received "one two"; accepts one at a time'],
      [['one', '--hint', '--reset'], 'error: options: received "--hint --reset"; accepts one of these at a time'],
      [['--hint'], 'error: exercise: received nothing; accepts one of one, two'],
      [
        ['one', '--hard'],
        'error: option: received "--hard"; accepts --watch, --hint, --solution, --reset, --json, --help',
      ],
      [['one', '-x'], 'error: option: received "-x"; accepts --watch, --hint, --solution, --reset, --json, --help'],
      [['../one'], 'error: exercise: received "../one"; accepts one, two'],
    ] as const) {
      expect(await exercise(chapter, [...args])).toMatchObject({ code: 2, stdout: '', stderr: `${line}\n` })
    }
  })

  it('checks, and shows the verdict as a text and as a document', async () => {
    await using chapter = await chapterWith({ one: {} })
    const run = await exercise(chapter, ['one'])
    expect(run).toMatchObject({ code: 1, stderr: '' })
    expect(run.stdout).toContain('✗ one: It is not 1.\n\n  expected  1\n  received  0\n')
    const document = await exercise(chapter, ['one', '--json'])
    expect(document.code).toBe(1)
    expect(document.json()).toMatchObject({
      exercise: 'one',
      passed: false,
      file: chapter.file('one', 'exercise.ts'),
      fault: { says: 'It is not 1.' },
    })
    await writeFile(chapter.file('one', 'exercise.ts'), 'export const run = (): string => 1\n')
    const wrongType = await exercise(chapter, ['one'])
    expect(wrongType.code).toBe(1)
    expect(wrongType.stdout).toContain("It does not compile: Type 'number' is not assignable to type 'string'.")
    expect(wrongType.stdout).toContain('exercise.ts:1  export const run')
  })

  it('shows one hint more each time', async () => {
    await using chapter = await chapterWith({ one: {} })
    const hints = []
    for (let time = 0; time < 3; time++) hints.push((await exercise(chapter, ['one', '--hint'])).stdout)
    expect(hints[0]).toBe('Hint 1 of 2\n\nIt is small.\n\n')
    expect(hints[1]).toContain('Hint 2 of 2\n\nIt is 1.\n')
    expect(hints[2]).toMatch(/^There are no more hints\. One solution: pnpm .+ one --solution\n\n/)
    expect(hints[2]).toContain(hints[1])
  })

  it('shows a solution', async () => {
    await using chapter = await chapterWith({ one: {} })
    const { code, stdout } = await exercise(chapter, ['one', '--solution'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'export const run = (): number => 1\n' })
  })

  it('puts the gap back, and keeps what was written', async () => {
    await using chapter = await chapterWith({ one: {} })
    const mine = 'export const run = () => 1 // mine\n'
    const [file, kept] = ['exercise.ts', 'exercise.before-reset.ts'].map((name) => chapter.file('one', name)) as [
      string,
      string,
    ]
    await writeFile(file, mine)
    expect((await exercise(chapter, ['one', '--reset'])).code).toBe(0)
    expect(await readFile(file, 'utf8')).toBe('export const run = (): number => 0\n')
    expect(await readFile(kept, 'utf8')).toBe(mine)
    // Once more: the gap itself is not worth keeping.
    expect((await exercise(chapter, ['one', '--reset'])).code).toBe(0)
    expect(await readFile(kept, 'utf8')).toBe(mine)
  })

  it('goes on after a progress file that is damaged', async () => {
    await using chapter = await chapterWith({ one: { 'exercise.ts': 'export const run = () => 1' } })
    await writeFile(chapter.file('one', '.progress.json'), '{')
    expect((await exercise(chapter, ['one'])).code).toBe(0)
    expect(existsSync(chapter.file('one', '.progress.json.damaged'))).toBe(true)
    expect((await exercise(chapter, [])).stdout).toContain('1 of 1 done')
  })

  it('shows the verdict and the hint also where they cannot be noted', async () => {
    await using chapter = await chapterWith({ one: { 'exercise.ts': 'export const run = () => 1' } })
    // Folders in place of files: root may write everywhere.
    for (const name of ['.progress.json', '.progress.json.damaged'])
      await mkdir(chapter.file('one', name, 'not-empty'), { recursive: true })
    const notice = /^notice: what you have done cannot be noted: .*\n$/
    const run = await exercise(chapter, ['one'])
    expect(run).toMatchObject({ code: 0, stderr: expect.stringMatching(notice) })
    expect(run.stdout).toContain('✓ one holds')
    const hint = await exercise(chapter, ['one', '--hint'])
    expect(hint).toMatchObject({ code: 0, stderr: expect.stringMatching(notice) })
    expect(hint.stdout).toContain('It is small.')
  })

  it('says in one line what it cannot read', async () => {
    await using chapter = await chapterWith({ one: {} })
    await mkdir(chapter.file('broken'))
    const run = await exercise(chapter, ['broken', '--hint'])
    expect(run.code).toBe(1)
    expect(run.stderr).toMatch(/^error: .*hints\.md.*\n$/)
  })
})

describe('a solution that ends the program', () => {
  it.each([
    ['SIGTERM', 143],
    ['SIGKILL', null],
  ])('by %s has not passed, and nothing is left running', async (signal, code) => {
    // Not by process.kill, which the check refuses.
    const source = `
      import { spawn, spawnSync } from 'node:child_process'
      export function run() {
        spawn('sleep', ['600'], { stdio: 'ignore' })
        spawnSync('kill', ['-${signal}', String(process.ppid)])
        return 1
      }`
    await using chapter = await chapterWith({ one: { 'exercise.ts': source } })
    const run = await exercise(chapter, ['one'])
    expect(run.code).toBe(code)
    expect(run.stdout).not.toContain('holds')
    expect(await run.leftBehind()).toEqual([])
    expect(existsSync(chapter.file('one', '.progress.json'))).toBe(false)
  })
})

/** Starts the program as a shell does, in a process group of its own. */
async function start(chapter: { path: string }, args: string[]) {
  const before = await running()
  const program = spawn(process.execPath, [programFile, ...args], { cwd: chapter.path, detached: true, stdio: 'pipe' })
  const exited = once(program, 'exit')
  let output = ''
  for (const stream of [program.stdout, program.stderr]) stream.on('data', (text: Buffer) => (output += text))
  return {
    /** Waits until the output matches. */
    async says(pattern: RegExp) {
      while (!pattern.test(output)) {
        if (program.exitCode !== null) throw new Error(`it ended with ${program.exitCode}:\n${output}`)
        await setTimeout(20)
      }
    },
    /** Presses Ctrl-C, and returns the exit code and the processes that are left. */
    async interrupt() {
      process.kill(-(program.pid ?? 0), 'SIGINT')
      const [code] = await exited
      // The compiler's own child may take a moment.
      let left = await running()
      for (let tries = 0; left.length > before.length && tries < 100; tries++) {
        await setTimeout(50)
        left = await running()
      }
      return { code: code as number | null, left: left.filter((line) => !before.includes(line)) }
    },
    output: () => output,
  }
}

describe('--watch', () => {
  it('checks again at each save, and ends by Ctrl-C with 130', async () => {
    await using chapter = await chapterWith({ one: {} })
    const program = await start(chapter, ['one', '--watch'])
    await program.says(/✗ one[\s\S]*waiting/)
    await writeFile(chapter.file('one', 'exercise.ts'), 'export const run = () => 1\n')
    await program.says(/✓ one[\s\S]*waiting/)
    // As many editors do: another file is written and renamed.
    await writeFile(chapter.file('one', '.exercise.ts.swp'), 'export const run = () => 2\n')
    await rename(chapter.file('one', '.exercise.ts.swp'), chapter.file('one', 'exercise.ts'))
    await program.says(/received {2}2[\s\S]*waiting/)
    await rm(chapter.file('one', 'exercise.ts'))
    await program.says(/exercise\.ts does not exist: --reset puts it back\.[\s\S]*waiting/)
    await writeFile(chapter.file('one', 'exercise.ts'), 'export const run = () => 3\n')
    await program.says(/received {2}3[\s\S]*waiting/)
    expect(await program.interrupt()).toEqual({ code: 130, left: [] })
  })

  it('checks what was saved last, after two saves in a row and a file that was removed and created anew', async () => {
    await using chapter = await chapterWith({ one: {} })
    const file = chapter.file('one', 'exercise.ts')
    const program = await start(chapter, ['one', '--watch'])
    await program.says(/received {2}0[\s\S]*waiting/)
    for (const result of [2, 3]) await writeFile(file, `export const run = () => ${result}\n`)
    await program.says(/received {2}3[\s\S]*waiting/)
    await rm(file)
    await writeFile(file, 'export const run = () => 4\n')
    await program.says(/received {2}4[\s\S]*waiting/)
    await rename(file, `${file}~`)
    await writeFile(file, 'export const run = () => 5\n')
    await program.says(/received {2}5[\s\S]*waiting/)
    expect(await program.interrupt()).toEqual({ code: 130, left: [] })
  })

  it('takes notice of a save while a check is running', async () => {
    const slow = (result: number) =>
      `import { writeFileSync } from 'node:fs'
       import { setTimeout } from 'node:timers/promises'
       export async function run() {
         writeFileSync('begun-${result}', '')
         await setTimeout(500)
         return ${result}
       }`
    await using chapter = await chapterWith({ one: { 'exercise.ts': slow(2) } })
    const program = await start(chapter, ['one', '--watch'])
    while (!existsSync(chapter.file('one', 'begun-2'))) await setTimeout(10)
    await writeFile(chapter.file('one', 'exercise.ts'), slow(3))
    await program.says(/received {2}2[\s\S]*received {2}3[\s\S]*waiting/)
    expect(await program.interrupt()).toEqual({ code: 130, left: [] })
  })

  it('ends by Ctrl-C in the middle of a check, and leaves no process', async () => {
    // A loop would be ended by the check itself when it has computed for some time.
    const source = `
      import { writeFileSync } from 'node:fs'
      export function run() {
        writeFileSync('begun', '')
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
      }`
    await using chapter = await chapterWith({ one: { 'exercise.ts': source } })
    for (const args of [['one', '--watch'], ['one']]) {
      const program = await start(chapter, args)
      while (!existsSync(chapter.file('one', 'begun'))) await setTimeout(20)
      expect(await program.interrupt()).toEqual({ code: 130, left: [] })
      expect(program.output()).toBe('')
      await rm(chapter.file('one', 'begun'))
    }
  })
})
