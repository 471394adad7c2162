import { claims } from '@repo/common/example/claims'
import gossip from '../examples/gossip.ts'

type Result = Awaited<ReturnType<typeof gossip.run>>

const rounds = ({ rumours }: Result, nodes: number) =>
  rumours.find((row) => row.nodes === nodes)?.ways.find(({ way }) => way === 'push–pull')?.rounds ?? Number.NaN
const slope = ({ slopes }: Result, name: string) => slopes.find(({ way }) => way === name)?.slope ?? Number.NaN
/** The members called dead while they were up, with and without suspicion. */
const mistakes = ({ trials }: Result, suspicion: boolean) =>
  trials.filter((each) => each.suspicion > 0 === suspicion).reduce((sum, each) => sum + each.falseAlarms, 0)

export default claims(gossip, {
  logarithm: {
    says: 'A hundred times as many nodes, 1,000 instead of 10, take less than four times as many rounds by push–pull.',
    holds: (result) => rounds(result, 1_000) < 4 * rounds(result, 10),
    values: (result) => `${rounds(result, 10).toFixed(1)} rounds, then ${rounds(result, 1_000).toFixed(1)}`,
  },
  'both-is-fastest': {
    says: 'When both tell, ten times as many nodes take fewer rounds more than by either alone.',
    holds: (result) => slope(result, 'push–pull') < Math.min(slope(result, 'push'), slope(result, 'pull')),
    values: ({ slopes }) => slopes.map(({ way, slope }) => `${way} ${slope.toFixed(1)}`).join(', '),
  },
  'suspicion-saves': {
    says: 'With suspicion, fewer than one in ten of these mistakes is left.',
    holds: (result) => mistakes(result, true) < mistakes(result, false) / 10,
    values: (result) => `${mistakes(result, false)} without, ${mistakes(result, true)} with`,
  },
  'killed-is-found': {
    says: 'All other processes learn of the killed one.',
    holds: ({ processes: { reports, killed } }) =>
      new Set(reports.map(({ by }) => by)).size === 3 && reports.every(({ by }) => by !== killed),
    values: ({ processes: { lastMs } }) => `after ${Math.round(lastMs)} ms`,
  },
})
