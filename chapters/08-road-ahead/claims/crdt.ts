import { claims } from '@repo/common/example/claims'
import crdt from '../examples/crdt.ts'

type Result = Awaited<ReturnType<typeof crdt.run>>

/** After the last edit, and once everything was removed. */
const last = ({ sizes }: Result) => sizes.at(-2) as Result['sizes'][number]
const emptied = ({ sizes }: Result) => sizes.at(-1) as Result['sizes'][number]

export default claims(crdt, {
  'one-result': {
    says: 'All six orders lead to one result, although each delta arrives twice.',
    holds: ({ orders, merged }) => orders === 6 && merged.length === 1,
    values: ({ orders, merged }) => `${orders} orders: ${merged.join(', ')}`,
  },
  'removing-frees-nothing': {
    says: 'When all of the text is removed, its state is no smaller than before.',
    holds: (result) => emptied(result).text >= last(result).text && emptied(result).content === 0,
    values: (result) => `${last(result).text} bytes, then ${emptied(result).text}`,
  },
  'yjs-is-far-smaller': {
    says: 'Yjs keeps the same text, after the same edits, in less than a twentieth of the bytes.',
    holds: (result) => result.same && last(result).yjs < last(result).text / 20,
    values: (result) => `${last(result).text} bytes, Yjs ${last(result).yjs}`,
  },
  'set-without-tombstones': {
    says: 'The set that needs none is less than half as large.',
    holds: (result) => last(result).compact < last(result).set / 2,
    values: (result) => `${last(result).set} bytes, without ${last(result).compact}`,
  },
})
