import { claims } from '@repo/common/example/claims'
import consistency from '../examples/consistency.ts'

type Result = Awaited<ReturnType<typeof consistency.run>>

function rowOf({ systems }: Result, name: string) {
  const row = systems.find(({ system }) => system === name)
  return row?.why === undefined ? row : undefined
}
const told = (result: Result, name: string) => {
  const row = rowOf(result, name)
  return row && `${row.answered} answers: ${row.verdict}; ${row.lost} of ${row.acknowledged} lost`
}
const about = (name: string) => ({
  values: (result: Result) => told(result, name) ?? 'no such row',
  applies: (result: Result) => rowOf(result, name) !== undefined,
  args: ['--quick', '--systems', name],
})

export default claims(consistency, {
  'redis-loses': {
    says: 'Redis loses acknowledged writes when its primary is cut off.',
    holds: (result) => (rowOf(result, 'redis')?.lost ?? 0) > 0,
    ...about('redis'),
  },
  'nats-loses-unsynced': {
    says: 'When all of its nodes lose their power at once, NATS loses writes that it had acknowledged.',
    holds: (result) => (rowOf(result, 'nats')?.lost ?? 0) > 0,
    ...about('nats'),
  },
  'raft-is-linearizable': {
    says: 'An order explains every answer of our Raft, and no write is lost.',
    holds(result) {
      const row = rowOf(result, 'raft')
      return row?.verdict === 'linearizable' && row.lost === 0 && row.acknowledged > 0
    },
    ...about('raft'),
  },
  'reads-alone-is-caught': {
    says: "With the mistake 'reads alone', a leader that was replaced without knowing it answers with old values, and the history shows it.",
    holds: (result) => rowOf(result, 'raft-reads-alone')?.verdict === 'not linearizable',
    ...about('raft-reads-alone'),
  },
})
