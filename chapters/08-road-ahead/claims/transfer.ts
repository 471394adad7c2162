import { claims } from '@repo/common/example/claims'
import transfer from '../examples/transfer.ts'
import { wayNames } from '../src/transfer/ways.ts'

type Result = Awaited<ReturnType<typeof transfer.run>>

const args = ['--quick', '--ways', wayNames.join()]
/** As `--quick` has it. */
const downMs = 50

const right = ['2pc', 'saga', 'outbox'] as const
const crashesOf = ({ simulated }: Result, way: string) => simulated.find((row) => row.way === way)?.crashes ?? []
const killsOf = ({ real }: Result, way: string) =>
  real.flatMap((row) => ('kills' in row && row.way === way ? row.kills : []))
const brokenBy = (result: Result, way: string, what: string) =>
  crashesOf(result, way).filter((crash) => crash.what === what).length
const most = (numbers: number[]) => Math.max(0, ...numbers)
const lockedMs = (result: Result, way: string) => most(crashesOf(result, way).map((crash) => crash.lockedMs))
const shortMs = (result: Result, way: string) => most(crashesOf(result, way).map((crash) => crash.shortMs))
const waitedMs = (result: Result, way: string) => most(killsOf(result, way).map((kill) => kill.waitedMs))

export default claims(transfer, {
  'naive-breaks': {
    says: 'A service that is killed between its two steps has lost the money or made some.',
    holds: (result) =>
      brokenBy(result, 'commit-then-send', 'lost') > 0 && brokenBy(result, 'send-then-commit', 'doubled') > 0,
    values: (result) =>
      `${brokenBy(result, 'commit-then-send', 'lost')} lost, ${brokenBy(result, 'send-then-commit', 'doubled')} doubled`,
    args,
  },
  'delivered-again': {
    says: 'If the receiver is killed after it has booked, the queue delivers the message again, and it is booked again.',
    holds: (result) =>
      ['commit-then-send', 'send-then-commit'].every((way) =>
        crashesOf(result, way).some(({ node, what }) => node === 'receiver' && what === 'doubled'),
      ),
    args,
  },
  'right-ways-hold': {
    says: 'No history breaks the other three, and whichever of their processes is killed, after whichever step, nothing is lost or doubled.',
    holds: (result) =>
      right.every(
        (way) =>
          result.simulated.some((row) => row.way === way && row.found === undefined) &&
          [...crashesOf(result, way), ...killsOf(result, way)].every(({ what }) => what === undefined),
      ),
    values: (result) =>
      `${result.simulated[0] ? right.map((way) => crashesOf(result, way).length).join(' + ') : 0} crashes, ${right.map((way) => killsOf(result, way).length).join(' + ')} kills`,
    args,
  },
  'locked-while-away': {
    says: 'By two-phase commit, accounts stay locked as long as the coordinator is away; by a saga or an outbox they are never locked between two steps.',
    holds: (result) =>
      lockedMs(result, '2pc') >= downMs && lockedMs(result, 'saga') === 0 && lockedMs(result, 'outbox') === 0,
    values: (result) => `${lockedMs(result, '2pc')} virtual ms while it was away for ${downMs}`,
    args,
  },
  'others-wait': {
    says: 'On PostgreSQL, whoever wants to write to such an account waits until the coordinator is back.',
    holds: (result) => waitedMs(result, '2pc') >= downMs,
    values: (result) => `${Math.round(waitedMs(result, '2pc'))} ms`,
    applies: (result) => killsOf(result, '2pc').length > 0,
    args,
  },
  'all-are-short': {
    says: 'With each of the three there is a step after which the sum stays too small until the process is back.',
    holds: (result) => right.every((way) => shortMs(result, way) >= downMs),
    values: (result) => right.map((way) => `${way} ${shortMs(result, way)} ms`).join(', '),
    args,
  },
})
