/** A worker thread of the `measure` example: works on pages in memory that all threads share. */
import type { Range } from '@repo/common/async/ranges'
import { workerData } from 'piscina'
import { longestRepeats, type Pages } from './pages.ts'

export default (range: Range) => longestRepeats(workerData as Pages, range)
