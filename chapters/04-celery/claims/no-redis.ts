import { claims } from '@repo/common/example/claims'
import { times } from '@repo/common/output/terminal'
import noRedis from '../examples/no-redis.ts'

type Result = Awaited<ReturnType<typeof noRedis.run>>

const ratio = ({ postgresPerSecond, redisPerSecond = Number.NaN }: Result) => redisPerSecond / postgresPerSecond

export default claims(noRedis, {
  'killed-workers-task-is-done': {
    says: 'The task of a killed worker is done by another one.',
    holds: ({ killed, finisher }) => killed !== undefined && finisher !== killed,
    values: ({ killed, finisher }) => `killed: ${killed}; done by: ${finisher}`,
  },
  'redis-is-faster': {
    says: 'Redis does at least twice as many of these tasks a second.',
    holds: (result) => ratio(result) >= 2,
    values: (result) => times(ratio(result)),
    applies: ({ redisPerSecond }) => redisPerSecond !== undefined,
  },
})
