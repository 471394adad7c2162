import { claims } from '@repo/common/example/claims'
import grep from '../examples/grep.ts'

type Result = Awaited<ReturnType<typeof grep.run>>

const ms = ({ ways }: Result, name: string) => ways.find((way) => way.name.startsWith(name))?.ms ?? Number.NaN
const ratio = (result: Result, slow: string, fast: string) => ms(result, slow) / ms(result, fast)

/** One file of 54 MB. */
const oneFile = ['--quick', 'freedom', '--repeat', '5']

export default claims(grep, {
  'streams-are-last': {
    says: 'Node streams take at least three times as long as bytes.',
    holds: (result) => ratio(result, 'Node streams', 'bytes') >= 3,
    values: (result) => `${ratio(result, 'Node streams', 'bytes').toFixed(1)}×`,
  },
  'bytes-lead-on-one-file': {
    says: 'On one large file, bytes are at least 1.5 times as fast as push coroutines.',
    holds: (result) => ratio(result, 'push', 'bytes') >= 1.5,
    values: (result) => `${ratio(result, 'push', 'bytes').toFixed(1)}×`,
    args: oneFile,
  },
  'memory-is-bounded': {
    says: 'No way of the four needs more than 150 MB, however large the file is.',
    holds: ({ ways }) => ways.length === 4 && ways.every(({ peakRssMb }) => peakRssMb <= 150),
    values: ({ ways }) => ways.map(({ peakRssMb }) => `${peakRssMb.toFixed(0)} MB`).join(', '),
    args: oneFile,
  },
  'case-ends-the-lead': {
    says: 'With --ignore-case, bytes are less than 1.5 times as fast as push coroutines.',
    holds: (result) => ratio(result, 'push', 'bytes') < 1.5,
    values: (result) => `${ratio(result, 'push', 'bytes').toFixed(1)}×`,
    args: [...oneFile, '--ignore-case'],
  },
})
