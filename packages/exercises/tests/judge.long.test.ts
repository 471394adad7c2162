import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { until } from '@repo/common/async/until'
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import { judge, judgeAll, type Verdict } from '../src/judge.ts'
import { typeError } from '../src/type-errors.ts'
import { chapterWith, src } from './chapter.ts'

leavesNothingRunning()

/** Judges a solution by its source. */
async function judged(
  source: string,
  { check, deadlineMs }: { check?: string; deadlineMs?: number } = {},
): Promise<Verdict> {
  await using chapter = await chapterWith({ one: { 'exercise.ts': source, ...(check && { 'check.ts': check }) } })
  return await judge(chapter.file('one'), undefined, deadlineMs === undefined ? {} : { deadlineMs })
}

describe('a solution', () => {
  it('holds', async () => {
    const verdict = await judged('export const run = () => { console.log("one\\ntwo"); return 1 }')
    expect(verdict).toMatchObject({ exercise: 'one', passed: true, printed: ['one', 'two'] })
    expect(verdict).not.toHaveProperty('fault')
  })

  it('fails with what the checker says', async () => {
    expect(await judged('export const run = () => 2')).toMatchObject({
      passed: false,
      fault: { says: 'It is not 1.', expected: '1', received: '2' },
    })
  })

  it('is named by the line of its declaration where no step has a line', async () => {
    expect((await judged('// mine\nexport const run = () => 2')).fault?.line).toBe(2)
    expect((await judged('// mine\nexport const other = 0\nexport const run = () => 2')).fault?.line).toBe(3)
  })

  it('is in an endless loop: the verdict names its line', async () => {
    const { passed, fault } = await judged('export function run() {\n  let at = 0\n  for (;;) {\n    at += 1\n  }\n}\n')
    expect(passed).toBe(false)
    expect(fault?.says).toBe('It does not end: an endless loop.')
    expect(fault?.line).toBeGreaterThanOrEqual(3)
    expect(fault?.line).toBeLessThanOrEqual(5)
  })

  it('is in an endless loop of microtasks', async () => {
    const { fault } = await judged('export async function run() {\n  for (;;)\n    await null\n}\n')
    expect(fault?.says).toBe('It does not end: an endless loop.')
    expect([2, 3]).toContain(fault?.line)
  })

  it('awaits something that never comes', async () => {
    const says = 'It does not end: something is awaited that never comes.'
    expect((await judged('export const run = () => new Promise(() => {})')).fault?.says).toBe(says)
  })

  it('goes on for ever without a loop that could be seen', async () => {
    const source = 'export const run = () => new Promise(() => { setInterval(() => {}, 100) })'
    const { fault } = await judged(source, { deadlineMs: 700 })
    expect(fault?.says).toBe('It does not end within 0.7 s: something is awaited that never comes.')
  })

  it('ends its process', async () => {
    expect((await judged('export const run = () => process.exit(0)')).fault?.says).toBe(
      'It ends its process, with exit code 0.',
    )
    expect((await judged('export const run = () => process.abort()')).fault?.says).toBe(
      'Its process was ended by SIGABRT.',
    )
  })

  it('throws', async () => {
    const { fault } = await judged(
      'export function run() {\n  const text = undefined as unknown as string\n  return text.length\n}',
    )
    expect(fault?.says).toMatch(/^It throws TypeError: Cannot read properties of undefined/)
    expect(fault?.line).toBe(3)
  })

  it.each([
    ['an object without a prototype', 'throw Object.create(null)', /^It throws \[Object: null prototype\] \{\}$/],
    [
      'an error that cannot be read',
      'throw Object.defineProperty(new Error(), "message", { get() { throw 1 } })',
      /^It throws something /,
    ],
    ['an error with another stack', 'throw Object.assign(new Error("oh"), { stack: 5 })', /^It throws oh$/],
  ])('throws %s', async (_, code, says) => {
    expect((await judged(`export function run() {\n  ${code}\n}`)).fault?.says).toMatch(says)
  })

  it('takes the clock away, and holds', async () => {
    const verdict = await judged('performance.now = () => Number.NaN\nexport const run = () => 1')
    expect(verdict).toMatchObject({ passed: true, ms: expect.any(Number) })
  })

  it('throws where nobody can catch it', async () => {
    const { fault } = await judged(
      'export async function run() {\n  setTimeout(() => {\n    throw new Error("late")\n  })\n  await new Promise((resolve) => setTimeout(resolve, 200))\n  return 1\n}',
    )
    expect(fault).toMatchObject({ says: 'It throws where nobody can catch it: Error: late', line: 3 })
  })

  it('lets a promise be rejected that nobody awaits', async () => {
    const { fault } = await judged(
      'async function save() {\n  throw new Error("disk full")\n}\nexport async function run() {\n  save()\n  await new Promise((resolve) => setTimeout(resolve, 50))\n  return 1\n}',
    )
    expect(fault).toMatchObject({ says: 'A promise was rejected and nobody was waiting: Error: disk full', line: 2 })
  })

  it('prints without end', async () => {
    const flood = (how: string) => `export async function run() {
      for (;;) {
        for (let at = 0; at < 50; at++) console.${how}("x".repeat(1000))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }`
    const { fault, printed } = await judged(flood('log'))
    expect(fault?.says).toBe('It prints without end: more than 1 MB.')
    expect(printed.length).toBeLessThanOrEqual(21)
    const errors = await judged(flood('error'))
    expect(errors.fault?.says).toBe('It prints without end: more than 1 MB.')
  })

  it.each([
    ['a loop', 'for (;;)\n    console.log("again")', 3],
    ['a gigabyte', 'for (let at = 0; at < 1_000; at++)\n    process.stdout.write("x".repeat(1_000_000))', 3],
    ['at once', '\n  console.error("x".repeat(100_000_000))', 3],
  ])('prints without end, and leaves nobody the time to count it: %s', async (_, body, line) => {
    const { fault } = await judged(`export function run() {\n  ${body}\n}`)
    expect(fault?.says).toBe('It prints without end: more than 1 MB.')
    expect(fault?.line).toBe(line)
  })

  it('leaves a thousand timers', async () => {
    const { fault } = await judged(
      'export function run() {\n  for (let at = 0; at < 1000; at++) setTimeout(() => {}, 60_000)\n  return 1\n}',
    )
    expect(fault?.says).toBe('It is done, but leaves 1000 timers running.')
  })

  it('needs more memory than there is', async () => {
    const { fault } = await judged(
      'export function run() {\n  const all: number[][] = []\n  for (;;) all.push(new Array(1e7).fill(1.5))\n}',
    )
    expect(fault?.says).toBe('It needs more than 512 MB of memory.')
  })

  it('does not load', async () => {
    const syntax = await judged('export function run() {\n  return 1 +\n}\n')
    expect(syntax.fault?.says).toMatch(/^It does not load: SyntaxError: /)
    expect(syntax.fault?.line).toBe(3)
    const missing = await judged('import { one } from "./not-there.ts"\nexport const run = () => one')
    expect(missing.fault?.says).toMatch(/^It does not load: Error: Cannot find module/)
    const thrown = await judged('\nthrow new Error("at once")')
    expect(thrown.fault).toMatchObject({ says: 'It does not load: Error: at once', line: 2 })
  })

  it('exports something else', async () => {
    for (const source of ['export const run = 5', 'export class run {}'])
      expect((await judged(source)).fault?.says).toBe('It does not export run as a function.')
    expect((await judged('export default () => 1')).fault?.says).toBe('It does not export run.')
  })

  it.each([
    ['no JSON', 'writeSync(3, "no JSON\\n")'],
    ['half a line', 'writeSync(3, "half a line")'],
    ['a verdict', 'writeSync(3, JSON.stringify({ ends: import.meta.filename, ms: 1, fault: null }) + "\\n")'],
    ['a verdict, and ends', 'writeSync(3, `{"ends":"exercise.ts","ms":1,"fault":null}\\n`); process.exit(0)'],
    ['a verdict on standard output', 'console.log(`{"ends":"exercise.ts","ms":1,"fault":null}`)'],
    ['a verdict as a message', 'process.send?.({ ends: "exercise.ts", ms: 1, fault: null })'],
    ['two million bytes', 'for (let at = 0; at < 300; at++) writeSync(3, "x".repeat(10_000))'],
    ['what it makes of every report', 'JSON.stringify = () => "{}"; Reflect.set(process, "exit", () => {})'],
  ])('writes where verdicts come: %s', async (_, statement) => {
    const { passed, fault } = await judged(
      `import { writeSync } from "node:fs"\nexport const run = () => { ${statement}; return 2 }\nvoid writeSync`,
    )
    expect(passed).toBe(false)
    expect(fault?.says).toMatch(/^It (is not 1|ends its process, with exit code 0|prints without end: .*)\.$/)
  })

  it.each(['process.kill(process.ppid)', 'process.kill(-process.ppid, "SIGKILL")', 'process.kill(-1, "SIGKILL")'])(
    'ends others: %s',
    async (statement) => {
      const { passed, fault } = await judged(`export function run() {\n  ${statement}\n  return 1\n}`)
      expect(passed).toBe(false)
      expect(fault?.says).toMatch(/^It sends SIG(TERM|KILL) to processes that are not its own\.$/)
      expect(fault?.line).toBe(2)
    },
  )

  it.each([
    ['a process', `spawn('sleep', ['600'])`, 'It is done, but leaves a process running: sleep 600'],
    [
      'one that nothing connects with it',
      `spawn('sleep', ['600'], { env: {}, detached: true, stdio: 'ignore' }).unref()`,
      'It is done, but leaves a process running: sleep 600',
    ],
    [
      'one whose parent has ended',
      `spawnSync('sh', ['-c', 'sleep 600 &'], { detached: true, stdio: 'ignore' })`,
      'It is done, but a process that it has started is still running.',
    ],
  ])('leaves %s running, which is ended', async (_, statement, says) => {
    const { passed, fault } = await judged(
      `import { spawn, spawnSync } from 'node:child_process'\nexport function run() {\n  ${statement}\n  return 1\n}\nvoid spawn, spawnSync`,
    )
    expect(passed).toBe(false)
    expect(fault?.says).toBe(says)
    if (says.endsWith('600')) expect(fault?.line).toBe(3)
  })

  it('starts a process and waits for it', async () => {
    const { passed } = await judged(`
      import { spawn } from 'node:child_process'
      import { once } from 'node:events'
      export const run = async () => {
        await once(spawn('true'), 'exit')
        return 1
      }`)
    expect(passed).toBe(true)
  })

  it('starts a process, and never ends: nothing is left', async () => {
    const { fault } = await judged(`
      import { spawn } from 'node:child_process'
      export const run = () => {
        spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).unref()
        return new Promise(() => {})
      }`)
    expect(fault?.says).toBe('It does not end: something is awaited that never comes.')
  })

  it('is missing', async () => {
    await using chapter = await chapterWith({ one: {} })
    await rm(chapter.file('one', 'exercise.ts'))
    const { passed, fault } = await judge(chapter.file('one'))
    expect(passed).toBe(false)
    expect(fault).toEqual({ says: 'exercise.ts does not exist: --reset puts it back.' })
  })
})

describe('a checker', () => {
  it('that is broken is not the fault of the solution', async () => {
    const check = 'export default { check() { throw new Error("oh") } }'
    const { passed, fault } = await judged('export const run = () => 1', { check })
    expect(passed).toBe(false)
    expect(fault?.says).toMatch(/^The checker itself fails, .*: Error: oh$/)
    const broken = await judged('export const run = () => 1', { check: 'export default {' })
    expect(broken.fault?.says).toMatch(/^check\.ts does not load: SyntaxError: /)
  })

  it('names the line that called it, that declares a function, and that read from a value last', async () => {
    const check = `
      import { callingLine, declaredAt, lastReading } from '${src}/line.ts'
      export default {
        check({ run, larger }) {
          const lines = [
            run(callingLine),
            declaredAt('larger'),
            declaredAt('method'),
            declaredAt('missing'),
            lastReading({ list: [1, 2], key: { deep: 1 } }, larger),
            lastReading({ list: [1] }, larger),
            lastReading({}, () => { throw new Error('nothing was read') }),
          ]
          return { says: lines.join(' ') }
        },
      }`
    const source = [
      'export const run = (line: () => number) =>',
      '  line()',
      'export function larger({ list, key }: any) {',
      '  if (list.length < 2) return 0',
      '  if (key.deep > 1)',
      '    return 1',
      '  throw new Error("neither")',
      '}',
      'export class Thing {',
      '  async method(of: string): Promise<void> {',
      '    await this.method(of)',
      '  }',
      '}',
    ].join('\n')
    expect((await judged(source, { check })).fault?.says).toBe('2 3 10  5 4 ')
  })
})

describe('an actor', () => {
  /** Its only operation fails with an error of the checker's. */
  const check = `
    import { underEverySchedule } from '${src}/actors.ts'
    export default {
      check: ({ run }) =>
        underEverySchedule((stage) => ({
          actors: { a: () => run(() => stage.step('reads', () => { throw new Error('no such file') })) },
          check: () => undefined,
        })),
    }`

  it('that gets an error from elsewhere has a line of its own', async () => {
    const awaits = 'export async function run(read: any) {\n  await read()\n}'
    expect((await judged(awaits, { check })).fault).toMatchObject({ says: 'a throws: no such file', line: 2 })
    const careless = 'export async function run(read: any) {\n\n  void read()\n  await new Promise(() => {})\n}'
    const says = 'A promise was rejected and nobody was waiting: Error: no such file'
    expect((await judged(careless, { check })).fault).toMatchObject({ says, line: 3 })
  })
})

describe('several solutions', () => {
  it('are judged one after the other, also after one that ends the process or never ends', async () => {
    await using chapter = await chapterWith({
      one: {
        'wrong/two.ts': 'export const run = () => process.exit(5)',
        'wrong/three.ts': 'export function run() {\n  for (;;);\n}',
      },
    })
    const files = ['solution.ts', 'wrong/two.ts', 'wrong/three.ts', 'wrong/four.ts', 'solution.ts'].map((file) => ({
      file: chapter.file('one', file),
      times: 2,
    }))
    const verdicts: string[] = []
    for await (const { file, passed, fault } of judgeAll(chapter.file('one'), files)) {
      verdicts.push(`${file.slice(chapter.file('one').length + 1)} ${passed || fault?.says}`)
    }
    expect(verdicts).toEqual([
      'solution.ts true',
      'solution.ts true',
      'wrong/two.ts It ends its process, with exit code 5.',
      'wrong/three.ts It does not end: an endless loop.',
      'wrong/four.ts It is not 1.',
      'solution.ts true',
      'solution.ts true',
    ])
  })

  it('end when they are aborted', async () => {
    const controller = new AbortController()
    // It never ends, and computes nothing for which it would be ended.
    const source = `
      import { writeFileSync } from 'node:fs'
      export const run = () => {
        writeFileSync('begun', '')
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
      }`
    await using chapter = await chapterWith({ one: { 'exercise.ts': source } })
    const options = { signal: controller.signal, deadlineMs: 3_600_000 }
    const judging = judge(chapter.file('one'), undefined, options)
    judging.catch(() => {})
    await until(() => existsSync(chapter.file('one', 'begun')))
    controller.abort(new Error('enough'))
    await expect(judging).rejects.toThrow('enough')
  })
})

describe('the compiler', () => {
  it('finds a type error, with its line', async () => {
    await using chapter = await chapterWith({
      one: { 'exercise.ts': 'export const run = () =>\n  "1" satisfies number\n' },
    })
    expect(await typeError(chapter.file('one', 'exercise.ts'))).toMatchObject({
      says: expect.stringMatching(/^It does not compile: /),
      line: 2,
    })
  })

  it('finds none where there is none, and takes no notice of other files', async () => {
    const source = `import { wrong } from './other.ts'\nimport { setTimeout } from 'node:timers/promises'\nvoid setTimeout\nexport const run = () => wrong\n`
    await using chapter = await chapterWith({ one: { 'exercise.ts': source } })
    await writeFile(chapter.file('one', 'other.ts'), 'export const wrong: number = "text"\n')
    expect(await typeError(chapter.file('one', 'exercise.ts'))).toBeUndefined()
  })

  it('ends when it is aborted', async () => {
    await using chapter = await chapterWith({ one: {} })
    await expect(typeError(chapter.file('one', 'exercise.ts'), AbortSignal.abort())).rejects.toThrow(/abort/)
  })
})
