import { claims } from '@repo/common/example/claims'
import { milliseconds } from '@repo/common/output/terminal'
import remoteNames from '../examples/remote-names.ts'

type Result = Awaited<ReturnType<typeof remoteNames.run>>

const ms = ({ events }: Result, what: string) => events.find((event) => event.what.includes(what))?.ms ?? Number.NaN
const values = (what: string) => (result: Result) =>
  `${milliseconds(ms(result, what))}, a lease is ${milliseconds(result.leaseMs ?? 0)}`

export default claims(remoteNames, {
  'killed-name-goes-at-once': {
    says: 'The name of the killed worker is gone in less than a quarter of a lease.',
    holds: (result) => ms(result, '"killed" gets SIGKILL') < (result.leaseMs ?? 0) / 4,
    values: values('"killed" gets SIGKILL'),
  },
  'hanging-name-keeps-its-lease': {
    says: 'The worker that hangs keeps its name for at least half a lease.',
    holds: (result) => ms(result, 'SIGSTOP') >= (result.leaseMs ?? Number.NaN) / 2,
    values: values('SIGSTOP'),
    platform: ['linux', 'darwin'],
  },
})
