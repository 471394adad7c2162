/** A worker thread of `oversubscribe` that waits: asks a slow server for a rate. */
import type { Pair } from '@repo/common/texts/rates'
import { fetchRate } from './rates.ts'

export default async ({ address, pair }: { address: string; pair: Pair }) => (await fetchRate(address, pair)).rate
