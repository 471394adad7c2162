import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { compareOutput } from '../../src/texts/outputs.ts'

const root = new URL('../../../', import.meta.url)

/** Every recorded output of the book. */
const outputs = [...readdirSync(new URL('chapters', root)).map((name) => `chapters/${name}`), 'bench'].flatMap(
  (folder) =>
    readFileSync(new URL(`${folder}/README.md`, root), 'utf8')
      .matchAll(/```\w*\n(pnpm --filter \S+ start.*)\n```\s+```\w*\n([\s\S]*?)\n?```/g)
      .map(([, command = '', output = '']) => ({ command, output }))
      .toArray(),
)

const recorded = `
Drawing 2,400 × 1,500 points in 228 tiles, process 4711 …

 way                       threads    time  speedup  memory  result  COST
 one tile after the other        1  905 ms            38 MB  done    2
 tiles on the pool               2  467 ms    1.94×   97 MB  failed  not up to 2

 0.000084 ms  begun by vm-2041
 1.20 s  done: 0 lost, 7 names, 3.141592653589796
Redis 7.0.15 at redis://:***@127.0.0.1:42255, key pair book-5ca2dd847bed of 2026-09-29; a lock lasts 2.00 s.
sha256: 8a470d8bf9e52d3f0de96e5fb03dce6f2cff09298b28237142c7026f71c360d1
All done in 4.79 s: 5 to poll; efficiency 70 %.
COST in threads: 2; the best plain program on one thread takes 633 ms.
span ████████
Picture: out/03-parallel/mandelbrot.png`.trim()

/** The differences after a change of the recorded output. */
function after(from: string | RegExp, to: string) {
  const fresh = recorded.replace(from, to)
  expect(fresh).not.toBe(recorded)
  return compareOutput(recorded, fresh)
}

describe('is as recorded', () => {
  it.each([
    ['another time, in another unit', '905 ms', '1.21 s'],
    ['a column that is wider', /time(?= )|(?<= )\d+ ms(?= {2})/g, '         $&'],
    ['a time that is shorter by far', '0.000084 ms', '0.00014 ms'],
    ['another speedup', '1.94×', '1.51×'],
    ['more memory', ' 97 MB', '112 MB'],
    ['another COST', /not up to 2$/m, '2'],
    [
      'no COST up to what was tried',
      '2; the best plain program on one thread takes 633 ms',
      'not up to 2; the best plain program on one thread takes 581 ms, and none was faster',
    ],
    ['another process', 'process 4711', 'process 99'.padEnd(12, '1')],
    ['another worker', 'vm-2041', 'vm-31999'],
    ['another port', '42255', '39585'],
    ['another id', '5ca2dd847bed', 'cfdf819b5ff7'],
    ['another date', '2026-09-29', '2027-01-31'],
    ['another version of a server', '7.0.15', '8.2.1'],
    ['another number of polls', '5 to poll', '9 to poll'],
    ['another efficiency', '70 %', '101 %'],
    ['a longer bar', '████████', '███████████▌'],
  ])('%s', (_, from, to) => {
    expect(after(from, to)).toEqual([])
  })
})

describe('is a difference:', () => {
  it.each([
    ['a word', 'one tile', 'each tile'],
    ['a name', '/mandelbrot.png', '/julia.png'],
    ['a count', '228 tiles', '229 tiles'],
    ['a large count', '2,400', '2,401'],
    ['one where there was none', '0 lost', '1 lost'],
    ['a state', 'failed', 'done  '],
    ['the last digit of what is computed', '3589796', '3589797'],
    ['a hash', '8a470d8b', '8a470d8c'],
    ['a time that became a rate', '905 ms', '905 /s'],
    ['a time that became a size', '0.000084 ms', '0.000084 MB'],
    ['a ratio that became a share', '1.94×', '194 %'],
    ['an implausible time', '467 ms', '467 minutes'],
    ['an implausible size', '97 MB', '97 GB'],
    ['a time that was given', 'lasts 2.00 s', 'lasts 3.00 s'],
    ['what was tried for the COST', 'not up to 2', 'not up to 4'],
    ['a COST that nothing beat, and yet was beaten', '633 ms.', '633 ms, and none was faster.'],
    ['a date that does not exist', '2026-09-29', '2026-19-29'],
    ['a line too few', /^sha256.*\n/m, ''],
    ['a line too many', /^sha256.*\n/m, '$&again\n'],
    ['an empty line too few', /^\n/m, ''],
    ['a column too few', / {2}(result|done|failed)(?= )/g, ''],
    ['a cell in another column', '38 MB  done    2', '38 MB  2           '],
    ['an order', / (0\.0.*)\n (1\.20 s.*)\n/, ' $2\n $1\n'],
    ['the indentation of words', /^Picture/m, '  Picture'],
  ])('%s', (_, from, to) => {
    expect(after(from, to)).not.toEqual([])
  })

  it('at the line where it is, with what is there now', () => {
    expect(after('sha256', 'sha1')).toEqual([
      { at: 9, recorded: [expect.stringMatching(/^sha256/)], fresh: [expect.stringMatching(/^sha1/)] },
    ])
    expect(after('COST in', '1 more\nCOST in')).toEqual([{ at: 11, recorded: [], fresh: ['1 more'] }])
    expect(after(/\nPicture.*/, '')).toEqual([{ at: 13, recorded: [expect.stringMatching(/^Picture/)], fresh: [] }])
  })
})

describe('of tables', () => {
  it('whose rows are a set, the order does not matter', () => {
    const [head, one, other] = [' worker  ended by  after', '  23082  itself    235 ms', '  23083  SIGKILL   2.02 s']
    expect(compareOutput([head, one, other].join('\n'), [head, other, one].join('\n'))).toEqual([])
    expect(compareOutput([head, one, other].join('\n'), [head, one, one].join('\n'))).not.toEqual([])
  })

  it('that have as many rows as it took, the number of rows does not matter, and their form does', () => {
    const [head, one, other] = [
      ' life  job  from   to  took',
      '    1    1     1  900  3.9 s',
      '    2    3   900  990  1.7 s',
    ]
    expect(compareOutput([head, one].join('\n'), [head, one, other].join('\n'))).toEqual([])
    expect(compareOutput([head, one].join('\n'), [head, one, other.replace('s', 'B')].join('\n'))).not.toEqual([])
    expect(compareOutput([head, one].join('\n'), head)).not.toEqual([])
  })
})

describe('of what is given, and of the machine', () => {
  const transfer = 'Redis 7.0.15: SIGKILL after each effect, and a new start 500 ms later.'
  const retries = '60 tasks call a service that serves 6 calls in 100 ms …'
  const revoke = 'The running task had ended 8.1 ms after it was revoked, of the 10 minutes it wanted.'
  const beyond = [
    ' a task takes  workers that keep one broker busy',
    '      10.0 ms                                 86',
  ].join('\n')
  const throughput = [' a task takes  tasks', '     0.26 ms  1,000'].join('\n')
  const replicas = [' apart                median write', ' 5 ms to the replica       0.27 ms'].join('\n')
  const names = [' name        address               lease', ' rates.hangs ws://127.0.0.1:42357  2.94 s'].join('\n')
  const elect = [' store  version  lease   asked every', ' redis  7.0.15   1.00 s       333 ms'].join('\n')
  const mixed = [
    '1×2, 2×2 are equally fast, within 5 %.',
    '1×2 wins: 130 MB of memory, started in 263 ms.',
    'Picture: out/01-intro/mixed.svg',
  ].join('\n')
  const busy =
    'The machine was busy: its ceiling is far below its cores, or below the speedup. Do not believe these figures; try again when it is not.'
  const suite =
    'ladder: a full run on 2 cores, linux x64, Node 24.21.0; results in bench/results/2026-11-30-db79f0-2-linux-3.json …'
  const versions = [' by          version  durability', ' grep -o -F  grep 3.8  –'].join('\n')
  const preflight = [
    ' what         1  worker 1 has',
    ' free memory  ·  24.5 GB',
    ' open files   ·  20000',
    ' environment  ·  39 variables',
  ].join('\n')

  it.each([
    ['another time after it', revoke, '8.1', '3.4'],
    ['another rate', beyond, '86', '79'],
    ['how long tasks took', throughput, '0.26', '0.31'],
    ['another latency', replicas, '0.27', '0.19'],
    ['what is left of a lease', names, '2.94', '2.46'],
    ['another winner', mixed, /^.+\n1×2/, '2×2 is the fastest by more than 5 %.\n2×2'],
    ['a busy machine', mixed, /(?=Picture)/, `${busy}\n`],
    ['another machine', suite, '2 cores, linux x64', '8 cores, darwin arm64'],
    ['another file', suite, '2026-11-30-db79f0-2-linux-3', '2027-01-02-00c0ff-8-darwin'],
    ['another version of a program', versions, '3.8', '3.11'],
    ['another environment', preflight, '39', '8'],
    ['no limit', preflight, '20000', 'unlimited'],
  ])('may be: %s', (_, recorded, from, to) => {
    expect(recorded.replace(from, to)).not.toBe(recorded)
    expect(compareOutput(recorded, recorded.replace(from, to))).toEqual([])
  })

  it.each([
    ['how long it was down', transfer, '500', '700'],
    ['what a service can do', retries, '100', '200'],
    ['what a task wanted', revoke, '10 ', '11 '],
    ['how long tasks are', beyond, '10.0', '20.0'],
    ['what a row is about', replicas, '5 ms', '6 ms'],
    ['how long a lease is', elect, '1.00', '2.00'],
    ['who is much faster', mixed, '5 %', '6 %'],
    ['how much is run', suite, 'full', 'quick'],
    ['a system that does not exist', suite, 'linux x64', 'linus x64'],
    ['the folder of the results', suite, 'results/', 'tables/'],
    ['another program', versions, ' grep 3.8', ' sed 4.9 '],
    ['what is counted', preflight, 'variables', 'variable'],
    ['the unit of memory', preflight, 'GB', 'Gb'],
    ['a limit', preflight, '20000', 'twenty'],
  ])('may not be: %s', (_, recorded, from, to) => {
    expect(recorded.replace(from, to)).not.toBe(recorded)
    expect(compareOutput(recorded, recorded.replace(from, to))).not.toEqual([])
  })
})

describe('of what was done while something was broken', () => {
  const history = [
    'redis: no order explains these operations.',
    '  c5.3    3895 to  3896 ms  write k3 5-456',
    '  c4.3    8145 to       …  cas k3 5-456 → 4-982: no answer',
    '  Nor these: an acknowledged write is lost.',
    '  last1  18521 to 18521 ms  read once-1-462: nothing',
  ].join('\n')
  const real = [
    ' way   killed after     lost  least  most  short for',
    ' 2pc   service: commit     0     90   100  783 ms',
    ' saga  service: log        0    100   100  –',
  ].join('\n')
  const engines = [
    '              jobs each  worker killed   recovery  machine lost',
    ' RabbitMQ         2,500  22 · 0 · 0 · 0   55.2 ms  0 · 102 · 0 · 0',
  ].join('\n')
  const spot = [' the notice is  jobs put back', ' heeded                     2', ' not heeded                 0'].join(
    '\n',
  )
  const killed = '1 killed: 2 of their jobs came back after 10 s and were done by others.'
  const told = '643 of 643 requests were answered, 294 while b was down.'

  it.each([
    ['other operations', history, /c5\.3.*/, 'c2    11 to    12 ms  read k1: nothing'],
    ['more operations', history, /.*c5\.3.*\n/, '$&$&$&'],
    ['what a reader saw for a moment', real, '100   100  –', ' 90   100  7.5 ms'],
    ['that it saw the credit before the debit', real, '100   100  –', '100   110  –'],
    ['another number of jobs begun twice', engines, '22 · 0', ' 7 · 0'],
    ['another number of jobs that came back', killed, '2 of', '1 of'],
    ['another number of jobs put back', spot, '2', '1'],
    ['other requests, all of them answered', told, /^.*, 294/, '311 of 311 requests were answered, 80'],
  ])('may be: %s', (_, recorded, from, to) => {
    expect(recorded.replace(from, to)).not.toBe(recorded)
    expect(compareOutput(recorded, recorded.replace(from, to))).toEqual([])
  })

  it.each([
    ['a word in an operation', history, 'write k3', 'wrote k3'],
    ['no operation', history, /.*last1.*/, ''],
    ['no loss where there was one', history, / {2}Nor these.*\n.*/, ''],
    ['a long time of which a reader saw nothing', real, '783 ms', '–     '],
    ['money for good', real, '783 ms', 'good  '],
    ['more money than was sent', real, '90   100', '90   120'],
    ['jobs put back by nobody', spot, '0', '1'],
    ['no job that came back', killed, '2 of', '0 of'],
    ['another number of killed workers', killed, '1 killed', '2 killed'],
    ['no job put back', spot, '2', '0'],
    ['a lost job', engines, '22 · 0', '22 · 1'],
    ['no lost job', engines, '102', '  0'],
    ['a request without an answer', told, '643 of', '642 of'],
  ])('may not be: %s', (_, recorded, from, to) => {
    expect(recorded.replace(from, to)).not.toBe(recorded)
    expect(compareOutput(recorded, recorded.replace(from, to))).not.toEqual([])
  })
})

describe('of all recorded outputs', () => {
  it('each is as recorded', () => {
    expect(outputs.length).toBeGreaterThan(90)
    expect(outputs.filter(({ output }) => compareOutput(output, output).length > 0)).toEqual([])
  })

  const every = process.env.LONG_TESTS ? 31 : 97
  /** The share of changes that are found, of some of the texts that match. */
  function found(pattern: RegExp, change: (text: string) => string) {
    const texts = outputs.flatMap(({ output }) => output.matchAll(pattern).toArray())
    const changed = texts
      .filter((_, at) => at % every === 0)
      .map(({ 0: text, index, input }) => {
        const fresh = input.slice(0, index) + change(text) + input.slice(index + text.length)
        return compareOutput(input, fresh).length > 0
      })
    return changed.filter(Boolean).length / changed.length
  }

  it.each([
    ['words', /\p{L}{2,}/gu, (word: string) => `${word.slice(0, -1)}${word.endsWith('x') ? 'z' : 'x'}`, 0.95],
    ['lines', /^.+\n/gm, () => '', 0.95],
    // Those that no rule takes; a tenth and more of all are rates, or depend on the load.
    [
      'counts',
      /(?<![\w.,:#-])\d[\d,]*(?![\w.]|,\d|×| (?:%|[nµm]?s|[kMG]?B|\/s)(?!\w))/g,
      (count: string) => `1${count}`,
      0.8,
    ],
    ['kinds', /(?<=\d )([nµm]?s|[kMG]?B)(?!\w)/g, (unit: string) => (unit.endsWith('s') ? 'MB' : 'ms'), 0.95],
    ['ranges', /(?<=\d )(ms|kB)(?!\w)/g, (unit: string) => (unit === 'ms' ? 'minutes' : 'GB'), 0.95],
  ])('finds nearly every change of the %s', (_, pattern, change, least) => {
    expect(found(pattern, change)).toBeGreaterThan(least)
  })
})
