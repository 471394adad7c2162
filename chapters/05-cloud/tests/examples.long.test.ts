import { expect, it } from 'vitest'
import spot from '../examples/spot.ts'

it('spot counts the same words when the machine is gone at once', async () => {
  const { runs } = await spot.run({ notice: 0.1, visibility: 1, repeat: 2 })
  expect(runs.map(({ words }) => words)).toEqual([1_789_020, 1_789_020])
})
