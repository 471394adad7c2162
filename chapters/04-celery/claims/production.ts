import { claims } from '@repo/common/example/claims'
import production from '../examples/production.ts'

export default claims(production, {
  'eviction-loses-tasks': {
    says: 'A Redis that evicts loses tasks that it has accepted, and with noeviction it loses none.',
    holds: ({ full: { noeviction, 'allkeys-lru': evicting } }) =>
      evicting.lost > 0 && noeviction.lost === 0 && noeviction.accepted > 0,
    values: ({ full: { noeviction, 'allkeys-lru': evicting } }) =>
      `${evicting.lost} of ${evicting.accepted}, ${noeviction.lost} of ${noeviction.accepted}`,
  },
  'file-keeps-tasks': {
    says: 'After SIGKILL all tasks are gone without the file, and none with it.',
    holds: ({ killed: { appendOnly, without } }) => without.lost === without.accepted && appendOnly.lost === 0,
    values: ({ killed: { appendOnly, without } }) =>
      `${without.lost} of ${without.accepted}, ${appendOnly.lost} of ${appendOnly.accepted}`,
  },
  'strangers-are-refused': {
    says: 'All seven attempts of strangers and of the worker are refused.',
    holds: ({ secured }) => {
      const answers = Object.values(secured?.refusals ?? {})
      return answers.length === 7 && !answers.includes('allowed')
    },
    values: ({ secured }) => {
      const answers = Object.values(secured?.refusals ?? {})
      return `${answers.filter((answer) => answer !== 'allowed').length} of ${answers.length}`
    },
    applies: ({ secured }) => secured !== undefined,
  },
  'sigterm-loses-nothing': {
    says: 'Another worker does the rest, and no task is begun twice.',
    holds: ({ ended: { tasks, doneThen, done, begunTwice } }) => doneThen < tasks && done === tasks && begunTwice === 0,
    values: ({ ended: { tasks, doneThen, done, begunTwice } }) =>
      `${doneThen} done, then ${done} of ${tasks}; ${begunTwice} begun twice`,
  },
})
