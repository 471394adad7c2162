import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { loader } from '@repo/common/process/child'
import { temporaryFolder } from '@repo/common/process/temporary'
import { runHere } from '@repo/common/testing/run-here'
import { afterEach, describe, expect, it, vi } from 'vitest'
import coroutines from '../examples/coroutines.ts'
import fetchMany from '../examples/fetch-many.ts'
import grep from '../examples/grep.ts'
import iterators from '../examples/iterators.ts'
import mgrep from '../examples/mgrep.ts'

const chapter = dirname(fileURLToPath(new URL('.', import.meta.url)))

afterEach(() => {
  vi.unstubAllEnvs()
})

type Runnable = Parameters<typeof runHere>[0]

/** Runs an example in its quick form and returns its document. */
async function documentOf<Document>(example: Runnable, ...args: string[]): Promise<Document> {
  return (await runHere(example, ...args, '--quick', '--json')).json()
}

async function refusal(example: Runnable, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runHere(example, ...args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^error: [^\n]+\n$/)
  return stderr
}

interface Grep {
  pattern: string
  occurrences: number
  lines: number
  bytes: number
  ways: { name: string; ms: number; mbPerS: number; peakRssMb: number }[]
  grep: { occurrences: number; ms: number } | null
  grepLeftOut?: string
}

describe('grep', () => {
  it('counts a word in all addresses as grep does', async () => {
    const result = await documentOf<Grep>(grep, 'freedom', '--rounds', '1')
    // By `cat *.txt | grep -o freedom | wc -l` and, as each address is one line, `grep -l freedom *.txt | wc -l`.
    expect(result).toMatchObject({ pattern: 'freedom', occurrences: 759, lines: 173, bytes: 10_761_413 })
    expect(result.ways.map(({ name }) => name)).toEqual([
      'push coroutines',
      'pull async generators',
      'Node streams',
      'bytes, not decoded',
    ])
    for (const { ms, mbPerS, peakRssMb } of result.ways) {
      expect(mbPerS).toBeCloseTo(result.bytes / 1000 / ms)
      expect(peakRssMb).toBeGreaterThan(20)
      expect(peakRssMb).toBeLessThan(150)
    }
    expect(result.grep?.occurrences).toBe(759)
  })

  it('searches the files it is given, or copies of them, relative to the reader’s folder, and standard input', async () => {
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'one.txt'), 'War\r\nand war')
    await writeFile(join(folder.path, 'two.txt'), 'war\nand war.')
    vi.stubEnv('INIT_CWD', folder.path)
    const given = ['war', 'one.txt', 'two.txt', '--ignore-case', '--repeat', '3']
    const found = await runHere(grep, ...given, '--json', '--rounds', '1')
    expect(found.json()).toMatchObject({ occurrences: 12, lines: 12, bytes: 78, grep: { occurrences: 12 } })

    const args = [...loader(), 'examples/grep.ts', 'war', '-', join(folder.path, 'one.txt'), '--count', '--lines']
    const child = spawn(process.execPath, args, { cwd: chapter, stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdin.end('war war\nwar')
    expect(await text(child.stdout)).toBe('4\n3\n')
  })

  it('makes no more copies than it can search', async () => {
    expect(await refusal(grep, 'war', '--repeat', '1000')).toMatch(
      /--repeat: received "1000"; accepts up to 185 for 10.8 MB/,
    )
  })

  it('leaves grep out where it means something else, and says so', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'a')
    await writeFile(file, 'aa ab\n')
    const result = await documentOf<Grep>(grep, '(.)\\1', file, '--rounds', '1')
    expect(result).toMatchObject({ occurrences: 1, grep: null, grepLeftOut: expect.stringContaining('\\1') })
  })

  it('says in one line what it cannot search', async () => {
    await using folder = await temporaryFolder()
    const path = (name: string) => join(folder.path, name)
    await mkdir(path('folder'))
    await writeFile(path('binary'), 'war\0')
    await writeFile(path('latin1'), Buffer.of(0xe9))
    await writeFile(path('fine'), 'war')
    expect(await refusal(grep, '')).toMatch(/PATTERN: received ""; accepts .*at least one character/)
    expect(await refusal(grep, '(')).toMatch(
      /PATTERN: received "\("; accepts a regular expression .*Unterminated group/,
    )
    expect(await refusal(grep, 'a', path('missing'))).toMatch(/FILE: received ".*missing"; .*it does not exist/)
    expect(await refusal(grep, 'a', path('folder'))).toMatch(/it is a directory/)
    expect(await refusal(grep, 'a', path('fine'), path('binary'))).toMatch(/binary"; .*it is binary: byte 3 is 0/)
    expect(await refusal(grep, 'a', path('latin1'))).toMatch(/it is not UTF-8/)
    expect(await refusal(grep, 'a', '--rounds', '0')).toMatch(/--rounds: received "0"; accepts a whole number from 1/)
  })
})

it('iterators make no more than is taken', async () => {
  expect(await documentOf(iterators, '--primes', '2', '--above', '24')).toMatchObject({
    byClass: [3, 2, 1],
    byGenerator: [3, 2, 1],
    byAsyncGenerator: [3, 2, 1],
    secondPass: [],
    primes: [29, 31],
    made: 7,
    events: ['opened', 'hands out the first line', 'hands out the second line', 'closed'],
  })
})

it('coroutines lose their first value when they are not primed', async () => {
  expect(await documentOf(coroutines, '--values', '10,20,60')).toMatchObject({
    lost: [0, 20, 40],
    means: [10, 15, 30],
    survived: 30,
    failure: 'the source has failed',
    closed: { done: true },
    afterEnd: { done: true },
    shown: expect.arrayContaining(['as it is: 60', 'squared:  3600', 'squared:  closed']),
  })
})

it('coroutines have a mean that JSON can carry, or refuse', async () => {
  const { means } = await documentOf<{ means: number[] }>(coroutines, '--values', new Array(20).fill('1e300').join())
  expect(means.every(Number.isFinite)).toBe(true)
  expect(await refusal(coroutines, '--values', '1e308,1e308')).toMatch(/accepts numbers from -1e300 to 1e300/)
})

it('mgrep counts all patterns in one pass, and words over time', async () => {
  interface Mgrep {
    patterns: { pattern: string; occurrences: number; lines: number }[]
    periods: { from: number; words: number; occurrences: number[] }[]
    picture: string
  }
  const result = await documentOf<Mgrep>(mgrep, 'freedom', 'the', '--over-time', 'war,peace')
  expect(result.patterns).toEqual([
    { pattern: 'freedom', occurrences: 759, lines: 173 },
    { pattern: 'the', occurrences: 174_249, lines: 233 },
  ])
  expect(result.periods.map(({ from }) => from)).toEqual(Array.from({ length: 24 }, (_, at) => 1790 + 10 * at))
  // The decade of the Second World War.
  const share = ({ occurrences, words }: Mgrep['periods'][number]) => (occurrences[0] ?? 0) / words
  expect(result.periods.reduce((best, period) => (share(period) > share(best) ? period : best)).from).toBe(1940)
  expect(await readFile(result.picture, 'utf8')).toMatch(/^<svg.*war.*peace/s)
  expect(await refusal(mgrep, '--over-time', 'war,,peace')).toMatch(/--over-time: received "war,,peace"; accepts/)
  expect(await refusal(mgrep, 'fine', '[')).toMatch(/PATTERN: received "\["; accepts/)
})

interface FetchMany {
  theory: { sumMs: number; maxMs: number; roundsMs: number; makespanMs: number }
  strategies: {
    name: string
    ms: number
    theoryMs: number
    ok: number
    attempts: number
    bytes: number
    standstillMs: number
    requests: { page: number; ok: boolean; failures: string[]; startMs: number; endMs: number }[]
  }[]
  bestSerialMs: number
  cost: string
  picture: string
}

describe('fetch-many', () => {
  it('fetches the same pages each way, never faster than in theory', async () => {
    const { theory, strategies, bestSerialMs, cost, picture } = await documentOf<FetchMany>(
      fetchMany,
      '--limit',
      '5',
      '--latency',
      '30',
      '--timeout',
      '10000',
    )
    expect(strategies.map(({ name }) => name)).toEqual([
      'one after the other',
      'blocking the thread',
      'all at once',
      '5 at a time',
    ])
    for (const { ok, attempts, bytes, ms, theoryMs } of strategies) {
      expect({ ok, attempts, bytes }).toEqual({ ok: 24, attempts: 24, bytes: strategies[0]?.bytes })
      // The server's timers may be a millisecond early.
      expect(ms).toBeGreaterThan(0.9 * theoryMs)
    }
    expect(theory.makespanMs).toBeLessThan(theory.sumMs)
    expect(bestSerialMs).toBe(Math.min(...strategies.filter((_, at) => at !== 1).map(({ ms }) => ms)))
    expect(cost).toBe('not up to 1')
    const mostAtOnce = strategies.map(({ requests }) =>
      Math.max(
        ...requests.map(
          ({ startMs }) => requests.filter((other) => other.startMs <= startMs && startMs < other.endMs).length,
        ),
      ),
    )
    expect(mostAtOnce).toEqual([1, 1, 24, 5])
    // A blocked thread's loop stands still for at least as long as its longest request.
    expect(strategies[1]?.standstillMs).toBeGreaterThan(0.9 * theory.maxMs)
    expect(existsSync(picture)).toBe(true)
  })

  it('reports what went wrong with each request and completes the rest', async () => {
    // This seed has few failures of each kind, of which only one has to be waited for, and one page that fails twice.
    const args = [
      '--seed',
      '34',
      '--pages',
      '6',
      '--fail',
      '0.5',
      '--retries',
      '1',
      '--latency',
      '10',
      '--timeout',
      '2000',
    ]
    const { strategies } = await documentOf<FetchMany>(fetchMany, ...args)
    const outcomes = strategies.map(({ requests }) =>
      requests.map(({ page, ok, failures }) => [page, ok, failures.length]),
    )
    // The failures follow from the seed: each way meets the same.
    for (const outcome of outcomes) expect(outcome).toEqual(outcomes[0])
    const reasons = new Set(strategies.flatMap(({ requests }) => requests.flatMap(({ failures }) => failures)))
    expect(reasons).toEqual(new Set(['connection reset', 'answer cut off', 'no complete answer within 2000 ms']))
    for (const { ok, requests } of strategies) {
      expect(ok).toBe(requests.filter((request) => request.ok).length)
      expect(ok).toBe(5)
    }
  })

  it('refuses limits of 0 and rates beyond 1', async () => {
    expect(await refusal(fetchMany, '--limit', '0')).toMatch(/--limit: received "0"; accepts a whole number from 1/)
    expect(await refusal(fetchMany, '--fail', '1.5')).toMatch(/--fail: received "1.5"; accepts a number from 0 to 1/)
  })
})

describe('server', () => {
  it.skipIf(process.platform === 'win32')('names the limit of open files', async () => {
    // The one shell in these tests: only a shell can lower its own limit.
    const command = `ulimit -n 1000; exec "$@" --connections 900`
    const child = spawn('sh', ['-c', command, 'sh', process.execPath, ...loader(), 'examples/server.ts'], {
      cwd: chapter,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close')])
    expect({ stderr, code }).toEqual({
      stderr:
        'error: --connections: received "900"; accepts up to 800 here: a process may open 1000 files (ulimit -Hn)\n',
      code: 2,
    })
  })
})
