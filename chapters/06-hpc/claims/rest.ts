import { claims } from '@repo/common/example/claims'
import rest from '../examples/rest.ts'

export default claims(rest, {
  'all-ways-say-the-same': {
    says: 'Commands, socket and token give the same states and the same exit codes',
    holds: ({ same, ways }) => same && ways.length === 3,
    values: ({ ways }) => ways.map(({ way, answers }) => `${way}: ${answers.join('; ')}`).join(' | '),
  },
  'one-request-for-all': {
    says: 'each with one submission for all five tasks.',
    holds: ({ ways }) => ways.every(({ submissions, answers }) => submissions === 1 && answers.length === 5),
    values: ({ ways }) => ways.map(({ submissions }) => submissions).join(', '),
  },
  'json-is-longer': {
    says: 'The JSON is at least ten times as long',
    holds: ({ ways: [commands, ...rest] }) =>
      rest.every(({ pollBytes }) => pollBytes >= 10 * (commands?.pollBytes ?? 0)),
    values: ({ ways }) => ways.map(({ pollBytes }) => `${pollBytes} B`).join(', '),
  },
})
