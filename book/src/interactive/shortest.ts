/**
 * For each bug of chapter 7 the shortest scenario that shows it, as `simulate --seed 1` finds it. Searching takes
 * fast-check and a second; a page has the results.
 */
import type { Scenario } from '@repo/simulator/simulator'
import type { Bug } from '07-testing/pipeline/orders'
import type { Wanted } from '07-testing/pipeline/simulated'

const book: Wanted = { item: 'book', quantity: 1, cents: 100, card: 'good', isReused: false }
const calm = { jitter: 0, paces: 0, messages: [], nodes: [] }

export const shortest: Record<Bug, Scenario<Wanted>> = {
  'early-ack': { ...calm, requests: [book], nodes: [{ node: 3, fate: 'crash after', effects: 1, ms: 1 }] },
  'double-charge': { ...calm, requests: [book], nodes: [{ node: 2, fate: 'crash after', effects: 1, ms: 1 }] },
  'lost-update': {
    ...calm,
    jitter: 494353047,
    requests: [book],
    nodes: [{ node: 3, fate: 'crash', atMs: 53, ms: 1 }],
  },
  'clock-order': { ...calm, requests: [book], nodes: [{ node: 2, fate: 'clock', atMs: 0, ms: -9 }] },
  'unbounded-retry': { ...calm, requests: [{ ...book, card: 'refused' }] },
}
