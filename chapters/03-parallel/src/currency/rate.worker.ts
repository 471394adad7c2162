/** A pool's worker that mostly waits: each task asks a slow server for one rate. */
import type { Pair } from '@repo/common/workloads/rates'
import { fetchRate } from './rates.ts'

export default async ({ address, pair }: { address: string; pair: Pair }) => (await fetchRate(address, pair)).rate
