import fc from 'fast-check'
import { expect, it } from 'vitest'
import { historyText, parseHistory } from '../../src/linear/file.ts'
import { operationText, partLines } from '../../src/linear/history.ts'
import { makeHistory } from '../../src/linear/make.ts'
import { parse } from './histories.ts'

it('a history is read as it was written', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const history = makeHistory({ seed, operations: 20, clients: 3, keys: 2 })
      expect(parseHistory(historyText(history))).toEqual(history)
    }),
    { numRuns: 20 },
  )
})

it('empty lines say nothing', () => {
  expect(parseHistory('\n\n')).toEqual([])
})

const good = historyText(parse('p 0-1 w 1')).trim()

it.each([
  ['half a line', good.slice(0, 30), 'line 2: received "{"client"'],
  ['no JSON', 'hello', 'line 2: received "hello"; accepts an operation as JSON'],
  ['an end before the beginning', good.replace('"atMs":1', '"atMs":-1'), 'line 2'],
  ['an answer to something else', good.replace('"isDone":true', '"read":null'), 'an answer to something else'],
  ['a field that nobody knows', good.replace('"key"', '"more":1,"key"'), 'line 2'],
  ['a value that is no text', good.replace('"write":"1"', '"write":1'), 'line 2'],
])('%s is refused with its line', (_, line, message) => {
  expect(() => parseHistory(`${good}\n${line}\n${good}`)).toThrow(message)
  expect(() => parseHistory(`${good}\n${line}\n${good}`)).toThrow('line 2')
})

it('operations are told in words', () => {
  const history = parse('p 0-1 w 1', 'p 2-3 r -', 'p 4-5 r 1', 'p 6- w 2', 'p 8-9 !c 1 2', 'p 10-11 c - 2')
  expect(history.map(operationText)).toEqual([
    'write x 1',
    'read x: nothing',
    'read x: 1',
    'write x 2: no answer',
    'cas x 1 → 2: refused',
    'cas x nothing → 2',
  ])
  expect(partLines(history.slice(0, 1))).toEqual(['  p          0 to     1 ms  write x 1'])
  // A file from somebody else must not change the reader's terminal.
  const odd = { ...history[0], client: '\x1b[31mp', does: { write: '1\n2' } } as (typeof history)[number]
  expect(partLines([odd])).toEqual(['  \\x1b[31mp     0 to     1 ms  write x 1\\n2'])
})
