import { claims } from '@repo/common/example/claims'
import { milliseconds } from '@repo/common/output/terminal'
import remoteCurrency from '../examples/remote-currency.ts'

export default claims(remoteCurrency, {
  'pipelining-saves-round-trips': {
    says: 'Pipelined, the chain takes less than half of its time.',
    holds: ({ ways: [, , inTurn, pipelined] }) =>
      inTurn !== undefined && pipelined !== undefined && pipelined.ms < inTurn.ms / 2,
    values: ({ ways: [, , ...chains] }) => chains.map(({ ms }) => milliseconds(ms)).join(', '),
  },
  'eleven-messages': {
    says: 'So eleven messages do what took fifteen, and one answer comes instead of five.',
    holds: ({ ways: [, , inTurn, pipelined] }) =>
      inTurn?.sent === 15 && inTurn.received === 5 && pipelined?.sent === 11 && pipelined.received === 1,
    values: ({ ways: [, , ...chains] }) =>
      chains.map(({ sent, received }) => `${sent} sent, ${received} received`).join('; '),
  },
  'purses-are-released': {
    says: 'The worker holds two purses within the block, and none after it.',
    holds: ({ purses: [within, after] }) => within === 2 && after === 0,
    values: ({ purses }) => purses.join(', '),
  },
})
