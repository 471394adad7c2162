import { claims } from '@repo/common/example/claims'
import mgrep from '../examples/mgrep.ts'

type Result = Awaited<ReturnType<typeof mgrep.run>>

/** The first year of the period in which a word makes up the largest share. */
function peakOf({ words, periods }: Result, word: string): number | undefined {
  const at = words.indexOf(word)
  const share = (period: Result['periods'][number]) => (period.occurrences[at] ?? 0) / period.words
  return periods.toSorted((a, b) => share(b) - share(a))[0]?.from
}

export default claims(mgrep, {
  'one-pass-saves': {
    says: 'A pass for each of six patterns takes at least 1.2 times as long as one pass for all, and less than six times.',
    holds: ({ onePassMs, manyPassesMs }) => manyPassesMs >= 1.2 * onePassMs && manyPassesMs < 6 * onePassMs,
    values: ({ onePassMs, manyPassesMs }) => `${(manyPassesMs / onePassMs).toFixed(2)}×`,
  },
  'war-in-all': {
    says: '"war" is in every one of the 233 addresses.',
    holds: ({ patterns }) => patterns.find(({ pattern }) => pattern === 'war')?.lines === 233,
    values: ({ patterns }) => patterns.map(({ pattern, lines }) => `${pattern} ${lines}`).join(', '),
  },
  'war-peaks-in-the-forties': {
    says: 'As a whole word, "war" is most frequent in the decade from 1940.',
    holds: (result) => peakOf(result, 'war') === 1940,
    values: (result) => `from ${peakOf(result, 'war')}`,
  },
})
