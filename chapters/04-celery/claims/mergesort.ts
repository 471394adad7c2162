import { claims } from '@repo/common/example/claims'
import mergesort from '../examples/mergesort.ts'

export default claims(mergesort, {
  'json-is-mostly-rest': {
    says: 'As JSON, everything else takes at least four times as long as sorting and merging.',
    holds: ({ ways }) => (ways.find(({ name }) => name === 'json')?.computeToTransfer ?? Number.NaN) <= 1 / 4,
    values: ({ ways }) =>
      ways.map(({ name, computeToTransfer }) => `${name} 1 : ${(1 / computeToTransfer).toFixed(1)}`).join(', '),
  },
  'no-way-beats-one-thread': {
    says: 'Still, neither way of sending the numbers beats one thread.',
    holds: ({ cost, ways }) => ways.length === 2 && typeof cost === 'string',
    values: ({ bestSerialMs, ways }) =>
      [bestSerialMs, ...ways.map(({ ms }) => ms)].map((value) => `${value.toFixed(0)} ms`).join(', '),
  },
})
