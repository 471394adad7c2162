import { claims } from '@repo/common/example/claims'
import raft from '../examples/raft.ts'

type Result = Awaited<ReturnType<typeof raft.run>>

/** With one seed the histories are the same on every machine. */
const args = ['--quick', '--seed', '1']

const versionsOf = (result: Result) => ('versions' in result ? result.versions : [])
const wrongOf = (result: Result) => versionsOf(result).filter(({ mistake }) => mistake !== undefined)
const ruleOf = (result: Result, name: string) =>
  versionsOf(result).find(({ mistake }) => mistake === name)?.violation?.rule

export default claims(raft, {
  'correct-has-no-alarm': {
    says: 'Without a mistake there is no alarm.',
    holds: (result) => versionsOf(result)[0]?.mistake === undefined && versionsOf(result)[0]?.violation === undefined,
    values: (result) => `${versionsOf(result)[0]?.histories} histories`,
    args,
  },
  'ten-are-found': {
    says: 'Each of the ten mistakes is found within 2,500 histories.',
    holds: (result) =>
      wrongOf(result).length === 10 &&
      wrongOf(result).every(({ violation, histories }) => violation !== undefined && histories <= 2_500),
    values: (result) =>
      wrongOf(result)
        .map(({ mistake, histories }) => `${mistake}: ${histories}`)
        .join(', '),
    args,
  },
  'clients-see-two': {
    says: 'Only two of them show in nothing but the answers to clients: reads alone and carries out twice.',
    holds: (result) =>
      wrongOf(result)
        .filter(({ violation }) => violation?.rule === 'linearizability')
        .map(({ mistake }) => mistake)
        .join() === 'reads alone,carries out twice',
    values: (result) => `${ruleOf(result, 'reads alone')}, ${ruleOf(result, 'carries out twice')}`,
    args,
  },
  'killed-and-answered': {
    says: 'Another server takes over, every request is answered, and the history is linearizable.',
    holds: (result) =>
      'verdict' in result &&
      result.meanwhile > 0 &&
      result.answered === result.requests &&
      result.verdict === 'linearizable',
    values: (result) =>
      'verdict' in result ? `${result.answered} of ${result.requests} answered, ${result.verdict}` : '',
    args: ['--processes'],
  },
})
