import { it } from 'vitest'
import { holdsInAnyOrder } from './any-order.ts'

it('a ring loses, doubles and reorders nothing, and no thread sleeps for ever, in any order of steps', async () => {
  await holdsInAnyOrder(4_000)
})
