import { claims } from '@repo/common/example/claims'
import checkpoint from '../examples/checkpoint.ts'

export default claims(checkpoint, {
  'same-result': {
    says: 'The result is the same as undisturbed, and as published.',
    holds: (result) => 'same' in result && result.same && result.published === true,
    values: ({ primes, twins }) => `${primes} primes, ${twins} pairs of twins`,
  },
  'sigterm-loses-nothing': {
    says: 'After SIGTERM nothing is done again.',
    holds: ({ lives: [first, second] }) =>
      first !== undefined && second !== undefined && second.resumedAt >= first.reached,
    values: ({ lives }) => `reached ${lives[0]?.reached}, went on from ${lives[1]?.resumedAt}`,
    // Windows ends a process at once.
    platform: ['linux', 'darwin'],
  },
  'no-life-begins-earlier': {
    says: 'Where no file was damaged, no life begins before the previous one did.',
    holds: ({ lives }) =>
      lives.every(({ damaged, resumedAt }, at) => damaged.length > 0 || resumedAt >= (lives[at - 1]?.resumedAt ?? 0)),
    values: ({ lives }) => lives.map(({ resumedAt }) => resumedAt).join(', '),
  },
})
