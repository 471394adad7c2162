/** A worker thread of `startComparisonPool`: compares bands of rows in memory that all threads share. */
import { workerData } from 'piscina'
import { type Band, type Comparison, compareRows } from './similarity.ts'

export default (band: Band) => compareRows(workerData as Comparison, band)
