import { claims } from '@repo/common/example/claims'
import latency from '../examples/latency.ts'

type Rungs = Awaited<ReturnType<typeof latency.run>>['rungs']

/** The first rung whose name begins like this. */
function rung(rungs: Rungs, name: string) {
  const found = rungs.find((rung) => rung.name.startsWith(name))
  if (!found) throw new Error(`no rung begins with ${name}`)
  return found
}

const call = (rungs: Rungs) => rung(rungs, 'function call').medianNs

/** The rungs on which one thread or process wakes another on the same machine. */
const waking = (rungs: Rungs) => rungs.filter(({ name }) => /^(Atomics|message|pipe|TCP|Redis)/.test(name))

export default claims(latency, {
  'turn-costs-more-than-await': {
    says: 'A turn of the event loop costs at least three times as much as an await.',
    holds: ({ rungs }) => rung(rungs, 'setImmediate').medianNs >= 3 * rung(rungs, 'microtask').medianNs,
    values: ({ rungs }) => ratio(rung(rungs, 'setImmediate').medianNs, rung(rungs, 'microtask').medianNs),
  },
  'other-side-is-far': {
    says: 'Every other thread, process or server on this machine is at least 500 function calls away.',
    holds: ({ rungs }) => waking(rungs).every(({ medianNs }) => medianNs >= 500 * call(rungs)),
    values: ({ rungs }) =>
      waking(rungs)
        .map(({ medianNs }) => ratio(medianNs, call(rungs)))
        .join(', '),
  },
  'distance-dwarfs-the-rest': {
    says: 'The simulated distance takes at least 50 times as long as TCP on loopback.',
    holds: ({ rungs }) => rung(rungs, 'wide-area').medianNs >= 50 * rung(rungs, 'TCP').medianNs,
    values: ({ rungs }) => ratio(rung(rungs, 'wide-area').medianNs, rung(rungs, 'TCP').medianNs),
  },
  'tail-where-threads-wake': {
    says: 'Where one thread or process wakes another, the 99th percentile is at least 1.2 times the median.',
    holds: ({ rungs }) => waking(rungs).every(({ medianNs, p99Ns }) => p99Ns >= 1.2 * medianNs),
    values: ({ rungs }) =>
      waking(rungs)
        .map(({ medianNs, p99Ns }) => ratio(p99Ns, medianNs))
        .join(', '),
  },
})

const ratio = (a: number, b: number) => `${(a / b).toFixed(1)}×`
