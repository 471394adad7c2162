/** A pool's worker that compares bands of rows, in memory that all workers share. */
import { type Band, type Comparison, compareRows, tableFor } from '@repo/common/workloads/similarity'
import { workerData } from 'piscina'

const comparison = workerData as Comparison
const contains = tableFor(comparison.sets)

export default (band: Band) => compareRows(comparison, band, contains)
