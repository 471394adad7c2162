import { claims } from '@repo/common/example/claims'
import messages from '../examples/messages.ts'

type Result = Awaited<ReturnType<typeof messages.run>>

const ways = ['share', 'transfer', 'clone', 'process'] as const

function row({ rows }: Result, bytes: number) {
  const found = rows.find((row) => row.bytes === bytes)
  if (!found) throw new Error(`no row of ${bytes} bytes`)
  return found
}

function pays({ pays }: Result, work: string) {
  const found = pays.find((paying) => paying.work === work)
  if (!found) throw new Error(`no work ${work}`)
  return found.from
}

const inMs = (...values: number[]) => values.map((value) => `${value.toFixed(value < 1 ? 3 : 1)} ms`).join(', ')

const inBytes = (from: Record<string, number | null>) =>
  Object.entries(from)
    .map(([way, bytes]) => `${way} ${bytes ?? 'never'}`)
    .join(', ')

export default claims(messages, {
  'small-messages-cost-alike': {
    says: 'A message of 16 kB takes at most four times as long as one of 1 kB, although it is 16 times as large.',
    holds: (result) => ways.every((way) => row(result, 16e3)[way].ms <= 4 * row(result, 1e3)[way].ms),
    values: (result) =>
      ways.map((way) => `${(row(result, 16e3)[way].ms / row(result, 1e3)[way].ms).toFixed(1)}×`).join(', '),
  },
  'transfer-copies-nothing': {
    says: 'With a transfer or shared memory, 32 MB take at most twice as long as adding them up here.',
    holds: (result) => {
      const { here, share, transfer } = row(result, 32e6)
      return Math.max(share.ms, transfer.ms) <= 2 * here.ms
    },
    values: (result) => inMs(...(['share', 'transfer', 'here'] as const).map((way) => row(result, 32e6)[way].ms)),
  },
  'clone-costs-per-byte': {
    says: 'A clone of 32 MB takes longer than a transfer.',
    holds: (result) => row(result, 32e6).clone.ms > row(result, 32e6).transfer.ms,
    values: (result) => inMs(row(result, 32e6).clone.ms, row(result, 32e6).transfer.ms),
  },
  'process-is-slowest': {
    says: 'For 32 MB, the way to a process is the slowest of the four.',
    holds: (result) => ways.every((way) => row(result, 32e6)[way].ms <= row(result, 32e6).process.ms),
    values: (result) => inMs(...ways.map((way) => row(result, 32e6)[way].ms)),
  },
  'heavy-work-pays-early': {
    says: 'Compressing pays off at 256 kB or less, whichever way the data goes.',
    holds: (result) => Object.values(pays(result, 'compressing')).every((bytes) => bytes !== null && bytes <= 256e3),
    values: (result) => inBytes(pays(result, 'compressing')),
  },
  'light-work-never-pays': {
    says: 'Adding up never pays off on the way to a process.',
    holds: (result) => pays(result, 'adding up').process === null,
    values: (result) => inBytes(pays(result, 'adding up')),
  },
})
