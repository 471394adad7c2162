import { expect, it } from 'vitest'
import { observe } from '../../examples/event-loop.ts'
import { predicted } from '../../src/event-loop/quiz.ts'

it('callbacks run in the predicted order', async () => {
  for (let round = 0; round < 20; round++) {
    expect(await observe()).toEqual(predicted.map(({ name }) => name))
  }
})
