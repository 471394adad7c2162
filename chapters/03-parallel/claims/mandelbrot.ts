import { claims } from '@repo/common/example/claims'
import { times } from '@repo/common/output/terminal'
import mandelbrot from '../examples/mandelbrot.ts'

/** The pixels of the quick form, on any machine. */
const sha256 = 'bffc0ffbe9bc989a4580cd38ea7318fd39487c23fc65ff114cd1af734dde6545'

export default claims(mandelbrot, {
  'same-pixels': {
    says: 'The hash of the pixels is the same for any number of workers',
    holds: (result) => result.sha256 === sha256,
    values: (result) => result.sha256,
    args: ['--quick', '--workers', '3'],
  },
  'tiles-come-close-to-the-ceiling': {
    says: "The pool reaches at least seven tenths of the machine's ceiling.",
    holds: ({ efficiency }) => efficiency >= 0.7,
    values: ({ speedup, ceiling }) => `${times(speedup)}, ceiling ${times(ceiling)}`,
    cores: 2,
    args: ['--quick', '--workers', '2'],
  },
  'mandelbrot-two-threads': {
    says: 'The COST is two threads',
    holds: ({ cost }) => cost === 2,
    values: ({ cost }) => `${cost}`,
    cores: 2,
    args: ['--quick', '--workers', '2'],
  },
})
