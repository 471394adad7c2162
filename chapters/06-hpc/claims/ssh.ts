import { claims } from '@repo/common/example/claims'
import { times } from '@repo/common/output/terminal'
import ssh from '../examples/ssh.ts'

type Result = Awaited<ReturnType<typeof ssh.run>>

/** As many files as in the text, so that the start of a program counts as little. */
const args = ['--quick', '--results', '1000']

/** The time for one, in ms; undefined for a way of which this machine lacks the program. */
const msOf = ({ commands, files }: Result, name: string) => [...commands, ...files].find(({ way }) => way === name)?.ms
const ratio = (result: Result, slow: string, fast: string) =>
  (msOf(result, slow) ?? Number.NaN) / (msOf(result, fast) ?? Number.NaN)

/** Round trips that a file takes if it is read after the one before it. */
const roundTrips = (result: Result) => (msOf(result, 'one after the other') ?? Number.NaN) / result.rttMs

export default claims(ssh, {
  'open-connection-saves': {
    says: 'A command over an open connection takes less than a tenth of the time that starting ssh for it takes.',
    applies: (result) => msOf(result, 'ssh for each') !== undefined,
    holds: (result) => ratio(result, 'ssh for each', 'one connection') > 10,
    values: (result) => times(ratio(result, 'ssh for each', 'one connection')),
    args,
  },
  'two-round-trips-each': {
    says: 'It waits for two round trips for every file, and not for three.',
    holds: (result) => roundTrips(result) >= 1.95 && roundTrips(result) < 3,
    values: (result) => `${roundTrips(result).toFixed(2)} round trips`,
    // The longer the link, the less counts what a busy machine adds.
    args: ['--quick', '--rtt', '100'],
  },
  'at-once-saves': {
    says: 'Asked for all at once, a file takes less than a fifth of the time.',
    holds: (result) => ratio(result, 'one after the other', 'all asked for at once') > 5,
    values: (result) => times(ratio(result, 'one after the other', 'all asked for at once')),
    args,
  },
  'tar-is-fastest': {
    says: 'For many small files one tar stream is the fastest way of all.',
    applies: (result) => msOf(result, 'one tar stream') !== undefined,
    holds: (result) =>
      result.files.every(({ way }) => way === 'one tar stream' || ratio(result, way, 'one tar stream') > 1),
    values: (result) => result.files.map(({ way, ms }) => `${way} ${ms.toFixed(2)} ms`).join(', '),
    args,
  },
  'ten-at-a-time': {
    says: 'Ten commands at a time beat it, so the COST is at most ten',
    holds: ({ cost }) => cost === 10,
    values: (result) => times(ratio(result, 'one connection', 'one connection, 10 at a time')),
    args,
  },
})
