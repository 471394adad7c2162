/** A process of the `messages` example: adds up what it is sent and answers with the sum. */
import { ready } from '@repo/common/process/ready'
import { type Answer, free, type Request, sumOf } from './payload.ts'

process.on('message', ({ data }: Request) => {
  const answer: Answer = { sum: sumOf(data) }
  free(data)
  process.send?.(answer)
})
// Its owner has gone.
process.on('disconnect', () => process.exit())
ready()
