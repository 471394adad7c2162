import { claims } from '@repo/common/example/claims'
import submit from '../examples/submit.ts'

export default claims(submit, {
  'runs-on-its-node': {
    says: 'The host name that the program prints is the node that the scheduler names.',
    holds: ({ states, stdout }) => {
      const node = states.findLast((state) => state.node !== undefined)?.node
      return node !== undefined && stdout.startsWith(`Hello from ${node}\n`)
    },
    values: ({ states, stdout }) => `${states.at(-1)?.node}: ${stdout.split('\n', 1)[0]}`,
  },
})
