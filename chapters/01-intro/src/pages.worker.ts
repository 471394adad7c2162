/** A worker thread of the `measure` example: works on pages in memory that all threads share. */
import { workerData } from 'piscina'
import { longestRepeats, type Pages } from './pages.ts'
import type { Range } from './ranges.ts'

export default (range: Range) => longestRepeats(workerData as Pages, range)
