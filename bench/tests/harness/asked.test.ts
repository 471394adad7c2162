/** Programs that answer lines of JSON, and what becomes of those that do not. */
import { leavesNothingRunning } from '@repo/common/testing/vitest'
import { expect, it } from 'vitest'
import { startAsked } from '../../src/harness/asked.ts'

leavesNothingRunning()

const node = (source: string) => startAsked(process.execPath, ['-e', source])
const perLine = (answer: string) =>
  `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => { ${answer} })`

it('gets an answer for each question, in order', async () => {
  await using program = node(perLine('console.log(JSON.stringify({ twice: 2 * JSON.parse(line).number }))'))
  const answers = await Promise.all([1, 2, 3].map((number) => program.ask({ number })))
  expect(answers).toEqual([{ twice: 2 }, { twice: 4 }, { twice: 6 }])
})

it.each([
  ['reports', `console.log('{"error":"ValueError: no such job"}')`, /^ValueError: no such job$/],
  ['prints nonsense', "console.log('<html>')", /^node -e .*: received "<html>"; accepts a line of JSON$/],
  ['crashes', "throw new RangeError('out of numbers')", /has ended: .*Node/],
  ['ends without a word', 'process.exit(3)', /has ended$/],
])('says why there is none when it %s', async (_, answer, message) => {
  await using program = node(perLine(answer))
  await expect(program.ask({})).rejects.toThrow(message)
})

it('says so when there is no such program, and when it has ended before', async () => {
  await using missing = startAsked('no-such-program', [])
  await expect(missing.ask({})).rejects.toThrow(/^no-such-program has ended: spawn no-such-program ENOENT$/)
  await expect(missing.ask({})).rejects.toThrow('ENOENT')
})

it('ends one that hangs, with the processes that it has started', async () => {
  const program = node(
    `require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' })
     process.on('SIGINT', () => {})
     setInterval(() => {}, 1000)
     ${perLine("if (line.includes('there')) console.log('{}')")}`,
  )
  await program.ask({ are: 'you there' })
  const hanging = program.ask({})
  hanging.catch(() => {})
  await program[Symbol.asyncDispose]()
  await expect(hanging).rejects.toThrow('has ended')
})
