/** Lists that are written by the checker and read by the solution, and lists that nobody writes. */
import { isDeepStrictEqual } from 'node:util'
import { counterexample } from '@repo/exercises/counterexample'
import { exercise, type Fault } from '@repo/exercises/exercise'
import { declaredAt } from '@repo/exercises/line'
import fc from 'fast-check'

type Solution = typeof import('./exercise.ts')

/** What a row stands for. */
export interface Row {
  job: string
  /** The numbers of its tasks, in the order in which they are written; none for a job that is no array. */
  tasks: number[]
}

/** A range of numbers, with a distance from the one before it. */
interface Span {
  gap: number
  count: number
  step: number
  /** How far its written end is beyond its last number, as long as that is less than a step. */
  beyond: number
}

interface TaskList {
  job: number
  spans: Span[]
  atOnce: number | undefined
}

interface HostGroup {
  name: string
  digits: number
  spans: Span[]
}

const spans = (mostStep: number) =>
  fc.array(
    fc.record({
      gap: fc.integer({ min: 0, max: 9 }),
      count: fc.integer({ min: 1, max: 5 }),
      step: fc.integer({ min: 1, max: mostStep }),
      beyond: fc.integer({ min: 0, max: mostStep - 1 }),
    }),
    { minLength: 1, maxLength: 4 },
  )

const taskLists: fc.Arbitrary<TaskList> = fc.record({
  job: fc.integer({ min: 1, max: 99_999 }),
  spans: spans(4),
  atOnce: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
})

const hostLists: fc.Arbitrary<HostGroup[]> = fc.array(
  fc.record({ name: fc.constantFrom('n', 'gpu-', 'rack2.n'), digits: fc.integer({ min: 1, max: 3 }), spans: spans(1) }),
  { minLength: 1, maxLength: 3 },
)

/** Writes numbers as a scheduler does, and returns them as well. */
function written(list: readonly Span[], digits = 1): { text: string; numbers: string[] } {
  const numbers: string[] = []
  let next = 0
  const parts = list.map(({ gap, count, step, beyond }) => {
    const first = next + gap
    const last = first + (count - 1) * step
    next = last + 1
    for (let number = first; number <= last; number += step) numbers.push(String(number).padStart(digits, '0'))
    const from = String(first).padStart(digits, '0')
    if (count === 1) return from
    const to = String(last + Math.min(beyond, step - 1)).padStart(digits, '0')
    next = Number(to) + 1
    return step === 1 ? `${from}-${to}` : `${from}-${to}:${step}`
  })
  return { text: parts.join(','), numbers }
}

const refuses = 'It refuses a list that a scheduler writes.'
const short = (value: unknown) => {
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

function checkTasks({ readTasks }: Solution, text: string, job: string, tasks: readonly number[]): Fault | undefined {
  const read = readTasks(text)
  const [wanted, given] = [{ job, tasks }, read && { job: read.job, tasks: read.tasks }]
  if (isDeepStrictEqual(given, wanted)) return undefined
  const [expected, received] = [short(wanted), short(given)]
  const history = [{ who: 'readTasks', what: text, line: declaredAt('readTasks') }]
  return {
    says: read === undefined ? refuses : 'It reads other tasks than the row names.',
    expected,
    received,
    history,
  }
}

function checkGroups(solution: Solution, groups: readonly HostGroup[]): Fault | undefined {
  const lists = groups.map(({ name, digits, spans }) => ({ name, ...written(spans, digits) }))
  // A single number is written without brackets.
  const text = lists
    .map(({ name, text: list, numbers }) => `${name}${numbers.length === 1 ? list : `[${list}]`}`)
    .join(',')
  const hosts = lists.flatMap(({ name, numbers }) => numbers.map((number) => name + number))
  return checkHosts(solution, text, hosts)
}

function checkHosts({ readHosts }: Solution, text: string, hosts: readonly string[]): Fault | undefined {
  const read = readHosts(text)
  if (isDeepStrictEqual(read, hosts)) return undefined
  const [expected, received] = [short(hosts), short(read)]
  const history = [{ who: 'readHosts', what: text, line: declaredAt('readHosts') }]
  if (read === undefined) return { says: refuses, expected, received, history }
  const bare = (names: readonly string[]) => short(names.map((name) => String(name).replace(/0+(?=\d+$)/, '')))
  const isZeros = bare(hosts) === bare(read)
  const why = 'The zeros are part of the name: a host of the other name does not exist.'
  if (isZeros) return { says: 'The zeros in front of a number are lost.', expected, received, history, why }
  return { says: 'It reads other hosts than the list names.', expected, received, history }
}

const badTasks = [
  ...[
    '123_[3-1]',
    '123_[0,2,...]',
    '123_[0-3:0]',
    '123_[0-3',
    '123_[]',
    '123_[0-]',
    '123_[-3]',
    '123_[0,,2]',
    '123_[,2]',
  ],
  ...[
    '123_[a-b]',
    '123_[0x10]',
    '123_[1e3]',
    '123_[0-3%]',
    '123_[%2]',
    '123_[0-3]7',
    '123_[0 -3]',
    '123_',
    '123_[1',
    '_4',
    '',
    'x_1',
  ],
]
const badHosts = [
  'n[3-1]',
  'n[1-2',
  'n[',
  'n[]',
  'n1-2]',
  'n[1-]',
  'n[1,,2]',
  'n[a-b]',
  'n[0-3:0]',
  'n1,',
  ',n1',
  'n1,,n2',
  '',
  '[1-2]',
]

function checkBad({ readTasks, readHosts }: Solution): Fault | undefined {
  const why = 'A row that nobody understands must not look like one without tasks, or like another one.'
  for (const [name, read, texts] of [
    ['readTasks', readTasks, badTasks],
    ['readHosts', readHosts, badHosts],
  ] as const) {
    for (const text of texts) {
      const received = read(text)
      if (received === undefined) continue
      return {
        says: 'It accepts what no scheduler writes.',
        expected: 'undefined',
        received: short(received),
        history: [{ who: name, what: text || '(nothing)', line: declaredAt(name) }],
        why,
      }
    }
  }
  const large = 'It reads a list of more than 100,000.'
  const reason = 'A few letters name so many that they fill the memory.'
  for (const text of ['123_[0-100000]', '123_[0-60000,70000-130000]']) {
    const count = readTasks(text)?.tasks.length
    if (count !== undefined)
      return {
        says: large,
        expected: 'undefined',
        received: `${count} tasks`,
        history: [{ who: 'readTasks', what: text, line: declaredAt('readTasks') }],
        why: reason,
      }
  }
  for (const text of ['n[0-100000]', 'a[0-60000],b[0-60000]']) {
    const count = readHosts(text)?.length
    if (count !== undefined)
      return {
        says: large,
        expected: 'undefined',
        received: `${count} hosts`,
        history: [{ who: 'readHosts', what: text, line: declaredAt('readHosts') }],
        why: reason,
      }
  }
  return undefined
}

export default exercise<Solution>({
  async check(solution) {
    const known =
      checkTasks(solution, '123_[0-3,7%2]', '123', [0, 1, 2, 3, 7]) ??
      checkTasks(solution, '123_4', '123', [4]) ??
      checkTasks(solution, '123', '123', []) ??
      // A large number is one task, and so many tasks are still few enough.
      checkTasks(solution, '123_[4000000]', '123', [4_000_000]) ??
      checkTasks(
        solution,
        '123_[1-100000]',
        '123',
        Array.from({ length: 100_000 }, (_, at) => at + 1),
      ) ??
      checkTasks(
        solution,
        '123_[0-299997:3]',
        '123',
        Array.from({ length: 100_000 }, (_, at) => 3 * at),
      ) ??
      checkHosts(solution, 'login,n[08-10,12]', ['login', 'n08', 'n09', 'n10', 'n12'])
    if (known) return known
    const tasks = await counterexample(taskLists, ({ job, spans: list, atOnce }) => {
      const { text, numbers } = written(list)
      return checkTasks(solution, `${job}_[${text}${atOnce ? `%${atOnce}` : ''}]`, String(job), numbers.map(Number))
    })
    return tasks ?? (await counterexample(hostLists, (groups) => checkGroups(solution, groups))) ?? checkBad(solution)
  },
})
