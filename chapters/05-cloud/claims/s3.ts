import { claims } from '@repo/common/example/claims'
import { bytes } from '@repo/common/output/terminal'
import s3 from '../examples/s3.ts'

type Result = Extract<Awaited<ReturnType<typeof s3.run>>, { small: unknown }>

/** A large object of nearly the full size: the quick one is hardly larger than the parts in flight. */
const args = ['--quick', '--size', '200']

/** The result of a run that did more than clean up. */
function measured(result: Awaited<ReturnType<typeof s3.run>>): Result {
  if (!('small' in result)) throw new Error('it only cleaned up')
  return result as Result
}

const broken = (result: Awaited<ReturnType<typeof s3.run>>) => measured(result).broken
const more = ({ restBytes, peakBytes }: Result['streams'][number]) => peakBytes - restBytes

export default claims(s3, {
  'one-by-one-waits': {
    says: 'However fast the machine and the store are, no more than 33 objects a second go up or come down.',
    holds: (result) => measured(result).small.every(({ one }) => Math.floor(one) <= 33),
    values: (result) =>
      measured(result)
        .small.map(({ way, one }) => `${way} ${one.toFixed(1)} a second`)
        .join(', '),
    args,
  },
  'many-wait-at-once': {
    says: 'With 64 requests at once, the objects travel at least five times as fast.',
    holds: (result) => measured(result).concurrency === 64 && measured(result).small.every(({ faster }) => faster >= 5),
    values: (result) =>
      measured(result)
        .small.map(({ way, faster }) => `${way} ${faster.toFixed(1)}×`)
        .join(', '),
    args,
  },
  'less-than-the-object': {
    says: 'Each of the three ways needs less memory on top of that than the object is large.',
    holds: (result) =>
      measured(result).streams.length === 3 && measured(result).streams.every((stream) => more(stream) < stream.bytes),
    values: (result) =>
      measured(result)
        .streams.map((stream) => `${stream.way} ${bytes(more(stream))} of ${bytes(stream.bytes)}`)
        .join(', '),
    args,
  },
  'parts-stay': {
    says: 'When the link breaks halfway, at least three of the seven parts do not travel again, on the way up and on the way down.',
    holds: (result) => {
      const { parts = 0, resumedUp = 0, resumedDown = 0 } = broken(result) ?? {}
      return parts === 7 && resumedUp >= 3 && resumedDown >= 3
    },
    values: (result) => `${broken(result)?.resumedUp} up, ${broken(result)?.resumedDown} down`,
    args,
    // A link to another machine is not broken on purpose.
    applies: (result) => Boolean(broken(result)),
  },
  'one-of-two-writes': {
    says: 'Of two writers, exactly one hears that it wrote the object.',
    holds: (result) => measured(result).wrote?.filter(Boolean).length === 1,
    values: (result) => `${measured(result).wrote?.join(', ')}`,
    args,
    applies: (result) => Boolean(measured(result).wrote),
  },
})
