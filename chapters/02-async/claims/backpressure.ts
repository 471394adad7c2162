import { claims } from '@repo/common/example/claims'
import backpressure from '../examples/backpressure.ts'

type Result = Awaited<ReturnType<typeof backpressure.run>>

const waiting = ({ runs, chunkBytes }: Result, end: string) =>
  runs.filter(({ name }) => name.endsWith(end)).map(({ mostWaitingBytes }) => mostWaitingBytes / chunkBytes)

/** Whether the consumer took about as long as it was told to. On a machine that is very busy, the producer is no faster. */
const paced = ({ runs, bytes, chunkBytes, consumeMs }: Result) =>
  runs.every(({ ms }) => ms <= (3 * consumeMs * bytes) / chunkBytes)

export default claims(backpressure, {
  'consumer-sets-the-pace': {
    says: 'With and without back-pressure, the data takes about the same time, within a third.',
    holds: ({ runs }) => {
      const times = runs.map(({ ms }) => ms)
      return Math.max(...times) <= (4 / 3) * Math.min(...times)
    },
    values: ({ runs }) => runs.map(({ ms }) => `${ms.toFixed(0)} ms`).join(', '),
    applies: paced,
  },
  'without-it-everything-waits': {
    says: 'Without back-pressure, at least 70 % of the data waits in memory at once.',
    holds: (result) => waiting(result, 'without').every((chunks) => chunks * result.chunkBytes >= 0.7 * result.bytes),
    values: (result) => `${waiting(result, 'without').join(', ')} of ${result.bytes / result.chunkBytes} chunks`,
    applies: paced,
  },
  'with-it-the-buffer-waits': {
    says: 'With back-pressure, a stream holds at most five chunks, and the async iterator one.',
    holds: (result) => {
      const [node, web, iterator] = waiting(result, 'with')
      return Math.max(node ?? 6, web ?? 6) <= 5 && iterator === 1
    },
    values: (result) => `${waiting(result, 'with').join(', ')} chunks`,
  },
})
