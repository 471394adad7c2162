import { claims } from '@repo/common/example/claims'
import privateCloud from '../examples/private-cloud.ts'

type Result = Awaited<ReturnType<typeof privateCloud.run>>

/** Without Swift, the example asks another store. */
const applies = ({ store }: Result) => store.startsWith('OpenStack Swift')

function feature({ features }: Result, name: string) {
  const found = features.find((feature) => feature.name === name)
  if (!found) throw new Error(`no feature ${name}`)
  return found
}

const inQuestion = ['ranges of an object', 'write only if new', 'upload in parts', 'versions of an object']
const lacking = (result: Result) => inQuestion.filter((name) => !feature(result, name).there)

export default claims(privateCloud, {
  'swift-lacks-one-of-four': {
    says: 'Of the four in question, Swift lacks only one: writing only if nobody else has.',
    holds: (result) => lacking(result).join() === 'write only if new',
    values: (result) => `lacks ${lacking(result).join(', ') || 'nothing'}`,
    applies,
  },
  'swift-takes-a-wrong-checksum': {
    says: 'Swift accepts an upload with a wrong CRC-32.',
    holds: (result) => feature(result, 'wrong checksums refused').because === 'no effect',
    values: (result) => feature(result, 'wrong checksums refused').because ?? 'refused',
    applies,
  },
})
