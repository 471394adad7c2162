import { claims } from '@repo/common/example/claims'
import cpuBound from '../examples/cpu-bound.ts'

type Result = Awaited<ReturnType<typeof cpuBound.run>>

const outcomes = (ways: Result['ways']) =>
  ways.map(({ name, runs, completed }) => `${name}: ${runs}, ${completed ? 'done' : 'failed'}`).join('; ')

export default claims(cpuBound, {
  'blocked-begun-again': {
    says: 'A task that blocks the event loop is begun more than once, and fails in the end.',
    holds: ({ ways: [blocked] }) => blocked !== undefined && blocked.runs > 1 && !blocked.completed,
    values: ({ ways: [blocked] }) => outcomes(blocked ? [blocked] : []),
  },
  'elsewhere-begun-once': {
    says: 'In a thread, in the sandbox and in slices the task is begun once, and is done.',
    holds: ({ ways: [, ...others] }) =>
      others.length === 3 && others.every(({ runs, completed }) => runs === 1 && completed),
    values: ({ ways: [, ...others] }) => outcomes(others),
  },
})
