/** The event-loop quiz: its code is the one that runs, and its answers are what this code does. */
import { readFile } from 'node:fs/promises'
import { observe } from '02-async/examples/event-loop'
import { expect, it } from 'vitest'
import { answers, choices, code, functionIn, score } from '../../src/interactive/quiz.ts'

it('has the order in which Node runs the code that it shows', async () => {
  const observed = await observe()
  expect(answers.map(({ name }) => name)).toEqual(observed)
  expect(score(observed)).toBe(observed.length)
  const source = await readFile(new URL(import.meta.resolve('02-async/examples/event-loop')), 'utf8')
  for (const line of code.split('\n')) expect(source).toContain(line)
  for (const name of observed) expect(code).toContain(`log('${name}')`)
})

it('offers each callback once, and not in order', () => {
  const names = answers.map(({ name }) => name)
  expect(choices.toSorted()).toEqual(names.toSorted())
  expect(choices).not.toEqual(names)
})

it('counts what is at its place', () => {
  const [first = '', second = '', ...others] = answers.map(({ name }) => name)
  expect(score([])).toBe(0)
  expect(score([first])).toBe(1)
  expect(score([second, first, ...others])).toBe(others.length)
})

it('cuts one function out of a source', () => {
  const source =
    'const a = 1\nexport async function b() {\n  // #region c\n  if (a) {\n  }\n  // #endregion c\n}\n\nfunction c() {\n}\n'
  expect(functionIn(source, 'b')).toBe('async function b() {\n  if (a) {\n  }\n}')
  expect(() => functionIn(source, 'd')).toThrow('no function "d" in the source')
})
