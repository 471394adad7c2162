import fc from 'fast-check'
import { expect, it } from 'vitest'
import { counterexample } from '../src/counterexample.ts'

const lists = fc.array(fc.nat(100))
const sumOf = (list: number[]) => list.reduce((sum, each) => sum + each, 0)

it('makes the input that shows a fault as small as possible', async () => {
  const fault = await counterexample(lists, (list) =>
    sumOf(list) > 10 ? { says: 'The sum is too large.', received: JSON.stringify(list) } : undefined,
  )
  expect(fault).toEqual({ says: 'The sum is too large.', received: '[11]' })
})

it('finds nothing where nothing is wrong, and tries the examples first', async () => {
  expect(await counterexample(lists, () => undefined)).toBeUndefined()
  const tried: number[][] = []
  await counterexample(lists, (list) => void tried.push(list), { examples: [[1, 2, 3]], runs: 1 })
  expect(tried[0]).toEqual([1, 2, 3])
})

it('throws what the solution throws, for the smallest input', async () => {
  const inputs: number[][] = []
  const check = (list: number[]) => {
    if (list.length < 3) return undefined
    inputs.push(list)
    throw new TypeError('too long')
  }
  await expect(counterexample(lists, check)).rejects.toThrow(new TypeError('too long'))
  expect(inputs.at(-1)).toEqual([0, 0, 0])
})

it('gives the same answer each time', async () => {
  const seen: string[] = []
  for (let time = 0; time < 2; time++)
    await counterexample(lists, (list) => void seen.push(JSON.stringify(list)), { runs: 20 })
  expect(seen.slice(20)).toEqual(seen.slice(0, 20))
})
