/** The command line of the examples about workers, pools and queues: help, wrong options, Ctrl-C. */
import { fileURLToPath } from 'node:url'
import { runExample } from '@repo/common/testing/testing'
import { describe, expect, it } from 'vitest'

const chapter = fileURLToPath(new URL('..', import.meta.url))
const run = (name: string, ...args: string[]) => runExample(chapter, name, args)

const names = ['currency', 'fib', 'futures', 'queues', 'sort', 'pool', 'chunking', 'oversubscribe']

describe.each(names)('%s', (name) => {
  it('explains itself', async () => {
    const { code, stdout } = await run(name, '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      new RegExp(`^${name}: .*\\n[^]*pnpm --filter 03-parallel start ${name}\\n[^]*Usage: ${name} `),
    )
  })
})

it.each([
  ['currency', '--pairs', '0'],
  ['currency', '--latency', '-1'],
  ['fib', '--n', '46'],
  ['fib', '--python-n', 'ten'],
  ['futures', '--n', '1e9'],
  ['queues', '--capacity', '1000'],
  ['queues', '--producers', '0'],
  ['queues', '--items', 'NaN'],
  ['sort', '--numbers', '0'],
  ['sort', '--numbers', '9999999999'],
  ['sort', '--type', 'float32'],
  ['sort', '--input', 'sideways'],
  ['pool', '--tasks', '1'],
  ['pool', '--workers', '65'],
  ['chunking', '--chunk', '0'],
  ['chunking', '--limit', '1e12'],
  ['oversubscribe', '--requests', '0'],
  ['oversubscribe', '--cores', '4'],
])('%s refuses %s %s in one line', async (name, ...args) => {
  const { code, stdout, stderr } = await run(name, ...args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^error: .*received .*; accepts [^\n]+\n$/)
})

describe.each([
  ['currency', /from a server/, /asking .*%/],
  ['fib', /times at once/, /computing .*%/],
  ['futures', /handed in/, /cancelled a running one/],
  ['queues', /consumer processes/, /passing items .*%/],
  ['sort', /Sorting/, /sorting .*%/],
  ['pool', /empty tasks on/, /handing out .*%/],
  ['chunking', /Counting/, /counting .*%/],
  ['oversubscribe', /threads on/, /computing and waiting .*%/],
])('%s at Ctrl-C', (name, atItsStart, inTheMiddle) => {
  it.each([
    ['at its start', atItsStart],
    ['in the middle of its work', inTheMiddle],
  ])('%s ends with 130 and leaves nothing behind', async (_, interruptWhen) => {
    const stopped = await runExample(chapter, name, [], { interruptWhen })
    expect({ code: stopped.code, error: /error.*/.exec(stopped.stderr)?.[0] }).toEqual({ code: 130, error: undefined })
    expect(await stopped.leftBehind()).toEqual([])
  })
})
