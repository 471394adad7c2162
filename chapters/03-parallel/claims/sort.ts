import { claims } from '@repo/common/example/claims'
import { milliseconds, times } from '@repo/common/output/terminal'
import sort from '../examples/sort.ts'

const args = ['--quick', '--workers', '2']

export default claims(sort, {
  'radix-beats-typed-array-sort': {
    says: 'The radix sort is the best program on one thread here',
    holds: ({ best }) => best === 'radix sort',
    values: ({ typedArrayMs, radixMs }) => `${milliseconds(radixMs)}, TypedArray.sort ${milliseconds(typedArrayMs)}`,
    args,
  },
  'merge-sort-loses-to-one-thread': {
    says: 'The parallel merge sort is a good parallel program, and on two workers it loses to one thread',
    holds: ({ mergeMs, serialMs }) => mergeMs > serialMs,
    values: ({ mergeMs, serialMs }) => times(serialMs / mergeMs),
    args,
  },
  'same-order': {
    says: 'All sorts give the same result, bit by bit.',
    // The program compares them all, and fails if two differ.
    holds: ({ sorted, numbers }) => sorted && numbers === 2_000_000,
    args: ['--quick', '--workers', '2', '--type', 'float64'],
  },
})
