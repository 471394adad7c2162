import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { temporaryFolder } from '@repo/common/process/temporary'
import { findRedisServer, installRedis } from '@repo/common/servers/redis'
import { abortHere, runHere } from '@repo/common/testing/run-here'
import { runExample } from '@repo/common/testing/testing'
import { describeReal } from '@repo/common/testing/vitest'
import { describe, expect, it } from 'vitest'
import preflight from '../../examples/preflight.ts'
import { workerNames } from '../../src/preflight/fleet.ts'
import {
  type Answer,
  ask,
  type Finding,
  findings,
  type Needs,
  newKey,
  unanswered,
  values,
} from '../../src/preflight/preflight.ts'
import type { Report } from '../../src/preflight/probe.program.ts'

const chapter = join(import.meta.dirname, '../..')

const report: Report = {
  node: '24.21.0',
  system: 'linux x64',
  user: 'ann (1)',
  umask: '022',
  timeZone: 'UTC',
  locale: 'en',
  cores: 2,
  freeMemory: 1e9,
  heapLimit: 1e9,
  freeDisk: 1e9,
  openFiles: 1024,
  packages: { zod: '4.6.7' },
  folder: undefined,
  temporary: undefined,
  variables: {},
  redis: 0.5,
}
const needs: Needs = {
  node: '22.18.0',
  memory: 1e6,
  disk: 1e6,
  openFiles: 100,
  clockMs: 500,
  packages: { zod: '4.6.7' },
}
const worker = (name: string, more: Partial<Report> = {}, offsetMs = 0): Answer => ({
  name,
  different: undefined,
  report: { ...report, ...more },
  clock: { offsetMs, errorMs: 0.1 },
})
const found = (odd: Answer) => findings([worker('one'), odd, worker('two')], needs)

describe('findings', () => {
  it('do not exist when all workers are alike, although their free memory differs', () => {
    expect(found(worker('odd', { freeMemory: 5e8, redis: 3 }, 0.05))).toEqual([])
  })

  it.each<[string, Answer, Partial<Finding>]>([
    ['an old Node', worker('odd', { node: '9.99.0' }), { check: 'Node', breaks: 'needs 22.18.0 or newer' }],
    ['a new one', worker('odd', { node: '26.0.0' }), { check: 'Node', others: '24.21.0', breaks: undefined }],
    ['a missing package', worker('odd', { packages: {} }), { check: 'packages', breaks: 'zod missing: install' }],
    [
      'a clock',
      worker('odd', {}, -3000),
      { check: 'clock', value: '−3.00 s', breaks: 'over 500 ms wrong: locks, tokens' },
    ],
    ['a full disk', worker('odd', { freeDisk: 10 }), { check: 'free disk', value: '10 B', breaks: 'needs 1.0 MB' }],
    [
      'a time zone',
      worker('odd', { timeZone: 'Asia/Tokyo' }),
      { check: 'time zone', others: 'UTC', breaks: undefined },
    ],
    ['no Redis', worker('odd', { redis: 'ECONNREFUSED' }), { check: 'Redis', breaks: 'no queue' }],
    ['no permission', worker('odd', { folder: 'EACCES' }), { check: 'work folder', breaks: 'no results' }],
  ])('say of %s what it is and what it breaks', (_, odd, finding) => {
    expect(found(odd)).toEqual([expect.objectContaining({ worker: 'odd', ...finding })])
  })

  it('say that something is unknown, not that it is 0', () => {
    const nothing = { freeMemory: undefined, freeDisk: undefined, openFiles: undefined }
    const odd = worker('odd', nothing)
    expect(found(odd)).toEqual([expect.objectContaining({ check: 'open files', value: 'unknown', breaks: undefined })])
    expect(values(odd).filter((value) => value === 'unknown')).toHaveLength(3)
    expect(values(worker('free', { openFiles: null }))).toContain('unlimited')
  })

  it('escape what would disturb a terminal', () => {
    const variables = { 'A\u001b[2J': { value: 'a\u009b2Jb' } }
    const odd = worker('odd\u0007', { variables, user: 'ann\r\n(1)' })
    expect(found(odd).map(({ worker, check, value }) => [worker, check, value])).toEqual([
      ['odd\\x07', 'user', 'ann\\r\\n(1)'],
      ['odd\\x07', 'A\\x1b[2J', '"a\\x9b2Jb"'],
    ])
  })

  it('name a variable that differs, and show the value only if it is known to be harmless', () => {
    const odd = worker('odd', { variables: { TZ: { value: 'UTC' }, DB_PASS: { hash: 'abc' } } })
    expect(found(odd).map(({ check, value, others }) => [check, value, others])).toEqual([
      ['DB_PASS', 'another value, not shown', 'not set'],
      ['TZ', '"UTC"', 'not set'],
    ])
  })
})

describe('a worker', () => {
  it('reveals no value that may be secret, only a hash that is valid for one round', async () => {
    await using folder = await temporaryFolder()
    const secret = 'correct horse battery staple'
    const candidate = {
      name: 'one',
      folder: chapter,
      work: folder.path,
      env: { API_TOKEN: secret, REDIS_URL: `redis://:${encodeURIComponent(secret)}@127.0.0.1:1`, TZ: 'Asia/Tokyo' },
    }
    const [first, second] = await Promise.all(
      [newKey(), newKey()].map((key) => ask(candidate, { packages: ['zod'], key })),
    )
    for (const answer of [first, second]) {
      const text = JSON.stringify(answer)
      expect(text).not.toMatch(/correct|battery/)
      expect(answer?.report).toMatchObject({
        timeZone: 'Asia/Tokyo',
        redis: expect.stringMatching(/ECONNREFUSED/),
        packages: { zod: '4.6.7' },
        variables: { API_TOKEN: { hash: expect.stringMatching(/^[0-9a-f]{64}$/) } },
      })
      // It is the same clock: the difference is measurement error, plus what NTP changed meanwhile.
      expect(Math.abs(answer?.clock.offsetMs ?? Number.NaN)).toBeLessThan(10 + (answer?.clock.errorMs ?? 0))
    }
    expect(first?.report.variables.API_TOKEN).not.toEqual(second?.report.variables.API_TOKEN)
  })

  it('shows no secret in a URL that is none, nor in a variable that is harmless', async () => {
    await using folder = await temporaryFolder()
    for (const url of ['redis//ann:sesame@127.0.0.1:1', 'redis:/ann:sesame@host', 'ann:sesame@127.0.0.1:1']) {
      const env = { REDIS_URL: url, LOG_LEVEL: 'token=sesame', TMPDIR: `${folder.path}/token=sesame` }
      const candidate = { name: 'one', folder: chapter, work: folder.path, env }
      const answer = await ask(candidate, { packages: [], key: newKey() })
      expect(answer.report.redis).toBe('REDIS_URL is no Redis URL: ***')
      expect(JSON.stringify(answer)).not.toMatch(/sesame/)
    }
  })

  it('that does not answer has a deadline, and is ended', async () => {
    await using folder = await temporaryFolder()
    // It runs the probe, and stops it for ever once that is ready.
    const stopper = join(folder.path, 'stopper.mjs')
    const code =
      "const { send } = process\nprocess.send = (...given) => send.call(process, ...given.slice(0, -1), () => process.kill(process.pid, 'SIGSTOP'))\n"
    await writeFile(stopper, code)
    const env = { NODE_OPTIONS: `--import ${pathToFileURL(stopper).href}` }
    const candidate = { name: 'mute', folder: chapter, work: folder.path, env }
    await expect(ask(candidate, { packages: [], key: newKey(), withinMs: 500 })).rejects.toThrow(
      /^no answer within 500 ms$/,
    )
    expect(unanswered('mute', 'no answer within 500 ms')).toMatchObject({
      worker: 'mute',
      breaks: 'it cannot be asked',
    })
  })
})

describeReal('preflight', { name: 'a Redis server', found: await findRedisServer(), install: installRedis }, () => {
  it('finds what was made different on purpose, and nothing on the unmodified workers', async () => {
    const done = await runExample(chapter, 'preflight', ['--quick', '--json'], {
      env: { REDIS_URL: undefined, SOME_KEY: 'sesame' },
    })
    const { workers, findings, broken, missing } = done.json<{
      workers: { name: string; clock: Answer['clock'] }[]
      findings: Finding[]
      broken: string[]
      missing: string[]
    }>()
    const left = missing.map((what) => what.split(':')[0])
    expect([...workers.map(({ name }) => name), ...left].sort()).toEqual([...workerNames].sort())
    const of = (name: string) => findings.filter(({ worker }) => worker === name).map(({ check }) => check)
    expect(of('as-it-is')).toEqual([])
    expect(of('as-it-is-2')).toEqual([])
    expect(of('other-zone')).toEqual(expect.arrayContaining(['time zone', 'locale', 'TZ', 'LANG']))
    expect(of('other-secret')).toEqual(['API_TOKEN'])
    expect(of('not-installed')).toEqual(['packages'])
    expect(of('read-only')).toEqual(['work folder'])
    expect(of('no-redis')).toEqual(['Redis', 'REDIS_URL'])
    expect(of('wrong-clock')).toEqual(['clock'])
    if (!left.includes('old-node')) expect(of('old-node')).toContain('Node')
    expect(of('small-limits')).toEqual(expect.arrayContaining(['open files', 'heap limit', 'NODE_OPTIONS']))
    const broke = ['not-installed', 'small-limits', 'read-only', 'no-redis', 'wrong-clock']
    expect(broken).toEqual(expect.arrayContaining(broke))
    expect(done.stdout + done.stderr).not.toMatch(/sesame|nobody else may see|only the others have/)
    expect(await done.leftBehind()).toEqual([])
  })

  it('asks the named workers, and fails with --strict when something would break', async () => {
    const strict = await runHere(preflight, '--workers', 'wrong-clock', '--strict')
    expect(strict.code).toBe(1)
    expect(strict.stderr).toMatch(/^error: the work would fail on wrong-clock\n$/m)
    const args = ['--workers', 'as-it-is,wrong-clock', '--strict', '--clock', '1e6', '--json']
    const lenient = await runHere(preflight, ...args)
    expect(lenient.json()).toMatchObject({ broken: [], findings: [{ worker: 'wrong-clock', check: 'clock' }] })
  })

  it('leaves nothing behind when it is aborted', async () => {
    expect(await abortHere(preflight)).toMatchObject({ message: 'aborted by the test' })
  })
})

describe('wrong options', () => {
  it('are refused in one line', async () => {
    for (const [options, says] of [
      [{ workers: 'somebody' }, /--workers: received "somebody"; accepts names out of as-it-is,/],
      [{ memory: 'much' }, /--memory: received "much"; accepts a number from 1/],
      [{ clock: '0' }, /--clock: received "0"/],
    ] as const) {
      await expect(preflight.run(options as object)).rejects.toThrow(says)
    }
  })
})
