import { appendFile, mkdir, rename, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TemporaryFolder, temporaryFolder } from '@repo/common/process/temporary'
import { runHere } from '@repo/common/testing/run-here'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import logs from '../../examples/logs.ts'
import { followLogs, readLogs } from '../../src/logs/files.ts'
import {
  clockShifts,
  impossible,
  type LogLine,
  matches,
  mergeLogs,
  mostTornApart,
  parseLine,
  tally,
} from '../../src/logs/lines.ts'
import { lineText, storyText } from '../../src/logs/text.ts'

const line = (process: string, time: number, more: Partial<LogLine> = {}): LogLine => ({
  process,
  time,
  level: 'info',
  message: `${process} ${time}`,
  order: undefined,
  correlation: undefined,
  sends: undefined,
  receives: undefined,
  rest: {},
  ...more,
})
const json = (name: string, time: number, more: object = {}) =>
  `${JSON.stringify({ level: 30, time, name, msg: 'said', ...more })}\n`

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

describe('a log line', () => {
  it('is read with its order and correlation id', () => {
    expect(parseLine(json('front', 5, { order: 'order-1', sends: 'payment order-1', n: 1 }), 'a:1')).toEqual(
      line('front', 5, { message: 'said', order: 'order-1', sends: 'payment order-1', rest: { n: 1 } }),
    )
    // As pino writes them, and as its usual formatters do.
    for (const [level, read] of [
      [50, 'error'],
      ['error', 'error'],
      ['WARN', 'warn'],
      ['constructor', 'info'],
      [{}, 'info'],
    ])
      expect(parseLine(json('front', 5, { level }), 'a:1')).toMatchObject({ level: read })
    const dated = parseLine(json('front', 5, { time: '1970-01-01T00:00:00.005Z' }), 'a:1')
    expect(dated).toMatchObject({ time: 5 })
    expect('time' in dated && lineText(dated)).toMatch(/^00:00:00\.005 /)
  })

  it.each([
    ['half', '{"level":30,"ti', 'a.log:7 cannot be read: "{\\"level\\":30,\\"ti" is not JSON'],
    ['plain', 'Segmentation fault', 'a.log:7 cannot be read: "Segmentation fault" is not JSON'],
    ['no object', '17', 'a.log:7 cannot be read: "17" is not an object'],
    [
      'at no time',
      '{"name":"a","time":1e16}',
      'a.log:7 cannot be read: "{\\"name\\":\\"a\\",\\"time\\":1e16}" has no name and time',
    ],
    ['foreign', '{"a":1}', 'a.log:7 cannot be read: "{\\"a\\":1}" has no name and time'],
    ['long', 'x'.repeat(9_999), `a.log:7 cannot be read: "${'x'.repeat(60)}…" is not JSON`],
  ])('that cannot be read is one clear line: %s', (_, text, says) => {
    expect(parseLine(text, 'a.log:7')).toEqual({ unreadable: says })
  })

  it('is selected by level, process, order, correlation id and pattern', () => {
    const one = line('front', 1, { level: 'warn', order: 'order-1', correlation: 'c', rest: { item: 'lamp' } })
    for (const filter of [{}, { level: 'info' }, { process: 'front' }, { order: 'order-1' }, { pattern: /lamp/ }]) {
      expect(matches(one, filter)).toBe(true)
    }
    for (const filter of [
      { level: 'error' },
      { process: 'a' },
      { order: 'order-10' },
      { correlation: 'd' },
      { pattern: /book/ },
    ]) {
      expect(matches(one, filter)).toBe(false)
    }
    expect(tally([one, one, line('a', 1)], ({ process }) => process)).toEqual([
      ['front', 2],
      ['a', 1],
    ])
  })
})

describe('merging', () => {
  it('moves each clock by the least that its messages need', () => {
    const lines = [
      line('a', 1000, { sends: 'm' }),
      line('b', 400, { receives: 'm' }),
      line('b', 410, { sends: 'n' }),
      line('c', 900, { receives: 'n' }),
    ]
    expect([...clockShifts(lines)]).toEqual([
      ['a', 0],
      ['b', 600],
      ['c', 110],
    ])
  })

  it('never shows an effect above its cause, nor the lines of a process out of order, whatever the clocks say', () => {
    // Messages go along a chain of three processes, each with its own clock.
    const skew = fc.integer({ min: -1e6, max: 1e6 })
    fc.assert(
      fc.property(fc.tuple(skew, skew, skew), fc.array(fc.nat(50), { minLength: 1, maxLength: 40 }), (skews, waits) => {
        const logs: LogLine[][] = [[], [], []]
        let now = 0
        for (const [at, wait] of waits.entries()) {
          now += wait
          logs[0]?.push(line('p0', now + skews[0], { sends: `1 ${at}` }))
          logs[1]?.push(
            line('p1', now + 1 + skews[1], { receives: `1 ${at}` }),
            line('p1', now + 2 + skews[1], { sends: `2 ${at}` }),
          )
          logs[2]?.push(line('p2', now + 3 + skews[2], { receives: `2 ${at}` }))
        }
        const merged = mergeLogs(logs)
        expect(merged.length).toBe(logs.flat().length)
        expect(impossible(merged)).toBe(0)
        for (const [at, log] of logs.entries())
          expect(merged.filter(({ process }) => process === `p${at}`)).toEqual(log)
      }),
    )
  })

  it('ends even if logs contradict themselves or a send is missing', () => {
    const a = [line('a', 1, { receives: 'y' }), line('a', 2, { sends: 'x' })]
    const b = [line('b', 1, { receives: 'x' }), line('b', 2, { sends: 'y' }), line('b', 3, { receives: 'unknown' })]
    expect(mergeLogs([a, b]).length).toBe(5)
    expect(mergeLogs([])).toEqual([])
  })
})

describe('following', () => {
  it('yields what is written, in causal order, across half-written lines', async () => {
    const file = (name: string) => join(folder.path, `${name}.log`)
    const sending = Buffer.from(json('a', 900, { sends: 'm', text: 'ä' }))
    // Cut in the middle of a character.
    const cut = sending.indexOf(0xc3) + 1
    await writeFile(file('a'), sending.subarray(0, cut))
    await writeFile(file('b'), json('b', 1, { receives: 'm' }))
    await writeFile(file('c'), json('c', 2))
    const stop = new AbortController()
    const seen: string[] = []
    for await (const each of followLogs(folder.path, stop.signal, 60_000)) {
      seen.push('unreadable' in each ? each.unreadable : `${each.process} ${each.rest.text ?? ''}`)
      if (seen.length === 1) await appendFile(file('a'), sending.subarray(cut))
      if (seen.length === 3) await appendFile(file('b'), 'rubbish\n')
      if (seen.length === 4) stop.abort()
    }
    expect(seen).toEqual(['c ', 'a ä', 'b ', 'b.log:2 cannot be read: "rubbish" is not JSON'])
  })

  it('starts a file again that was cut or replaced, and shows each line once', async () => {
    const file = join(folder.path, 'a.log')
    await writeFile(file, json('a', 1).repeat(10))
    const controller = new AbortController()
    const lines = followLogs(folder.path, controller.signal)
    const next = async () => {
      const { value } = await lines.next()
      return value && 'time' in value ? value.time : value
    }
    for (let at = 0; at < 10; at++) expect(await next()).toBe(1)
    // As logrotate does with copytruncate.
    await truncate(file)
    await appendFile(file, json('a', 2))
    expect(await next()).toBe(2)
    // By renaming: the new file is longer than the old one was.
    await rename(file, `${file}.1`)
    await writeFile(file, json('a', 3) + json('a', 4))
    expect([await next(), await next()]).toEqual([3, 4])
    controller.abort()
    expect((await lines.next()).done).toBe(true)
  })

  it('shows each line once when files are rotated while they are written', async () => {
    const file = join(folder.path, 'a.log')
    await writeFile(file, json('a', 1))
    const controller = new AbortController()
    const lines = followLogs(folder.path, controller.signal)
    const next = async () => {
      const { value } = await lines.next()
      return value && 'time' in value ? value.time : value
    }
    expect(await next()).toBe(1)
    // Not yet read when the file is renamed; and the program writes on until it opens the new file.
    await appendFile(file, json('a', 2))
    await rename(file, `${file}.1`)
    await appendFile(`${file}.1`, json('a', 3))
    expect([await next(), await next()]).toEqual([2, 3])
    await writeFile(file, json('a', 4))
    expect(await next()).toBe(4)
    // The new name is followed, too: it is the same file.
    await rename(file, join(folder.path, 'a-old.log'))
    await writeFile(file, json('a', 5))
    expect(await next()).toBe(5)
    controller.abort()
    expect((await lines.next()).done).toBe(true)
  })

  it('does not wait for ever for a send that was never logged', async () => {
    await writeFile(join(folder.path, 'b.log'), json('b', 1, { receives: 'm' }))
    const stop = new AbortController()
    for await (const _ of followLogs(folder.path, stop.signal, 10)) stop.abort()
  })
})

describe('a folder of logs', () => {
  it('is read, and each unreadable line is reported in one line', async () => {
    await writeFile(join(folder.path, 'a.log'), `${json('a', 2, { order: 'o' })}oops\n${json('a', 3)}`)
    await writeFile(join(folder.path, 'b.log'), json('b', 1))
    const done = await runHere(logs, '--folder', folder.path, '--process', 'a', '--json')
    expect(done.json()).toMatchObject({
      lines: 3,
      shown: 2,
      unreadable: ['a.log:2 cannot be read: "oops" is not JSON'],
    })
    const shown = await runHere(logs, '--folder', folder.path, '--order', 'o')
    expect(shown.stdout).toMatch(/1970|00:00:00\.002 +a +info +o +said/)
  })

  it('may have folders and links to nothing among its files', async () => {
    await writeFile(join(folder.path, 'a.log'), json('a', 1))
    await mkdir(join(folder.path, 'old.log'))
    await symlink(join(folder.path, 'gone'), join(folder.path, 'b.log'))
    expect(await readLogs(folder.path)).toMatchObject({ logs: [[{ time: 1 }]], unreadable: [] })
    const stop = new AbortController()
    stop.abort()
    const followed = await Array.fromAsync(followLogs(folder.path, stop.signal))
    expect(followed).toMatchObject([{ time: 1 }])
  })

  it('may begin with a byte order mark and end its lines as Windows does', async () => {
    const text = `\uFEFF${json('a', 1)}\n${json('a', 2)}`.replaceAll('\n', '\r\n')
    await writeFile(join(folder.path, 'a.log'), text)
    const { logs, unreadable } = await readLogs(folder.path)
    expect(unreadable).toEqual([])
    expect(logs.flat().map(({ time }) => time)).toEqual([1, 2])
  })

  it('may have 200,000 lines about one order', () => {
    const many = Array.from({ length: 200_000 }, (_, at) => line('a', at, { order: 'order-1' }))
    expect(mostTornApart(many)).toBe('order-1')
    expect(storyText(many)).toHaveLength(2 * many.length + 5)
  })

  it('and other options, when wrong, are refused in one line', async () => {
    expect((await runHere(logs, '--help')).stdout).toMatch(/--correlation/)
    for (const [args, says] of [
      [['--folder', folder.path], /--folder: received ".*"; accepts a folder of \*\.log files/],
      [['--grep', '('], /--grep: received "\("; accepts a regular expression/],
      [['--level', 'loud'], /--level: received "loud"; accepts one of debug, info, warn, error/],
      [['--orders', '0'], /--orders: received "0"/],
    ] as const) {
      expect(await runHere(logs, ...args)).toMatchObject({ code: 2, stderr: expect.stringMatching(says) })
    }
  })
})
