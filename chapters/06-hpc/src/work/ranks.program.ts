/** One rank of the `ranks` example: `node ranks.mjs FOLDER HOST LAPS LENGTH STEPS`. Rank 0 prints the results as JSON. */
import { hostname } from 'node:os'
import { addOrbits } from './orbits.ts'
import { allReduce, joinRing, passAround, placeIn } from './ring.ts'

const [folder = '', host = '', laps = '', length = '', steps = ''] = process.argv.slice(2)
const node = process.env.SLURMD_NODENAME ?? process.env.PRACTICE_NODE ?? hostname()
const place = placeIn(process.env)
using ring = await joinRing({ ...place, folder, host: host === 'own' ? hostname() : host, node })
// The time since this process began.
const startMs = performance.now()

// Warm-up: the connections open their windows, and the functions are compiled.
await passAround(ring, 200)
const hopUs = await passAround(ring, Number(laps))

/** Whole numbers, whose sum is exact in any order. */
const fill = () => Float64Array.from({ length: Number(length) }, (_, at) => (ring.rank + 1) * (at % 1000))
const times: number[] = []
let vector = fill()
for (let round = 0; round < 6; round++) {
  vector = fill()
  // A barrier: no rank begins before all are ready.
  await passAround(ring, 2)
  const start = performance.now()
  await allReduce(ring, vector)
  if (round > 0) times.push(performance.now() - start)
}
const reduceMs = times.sort((a, b) => a - b)[Math.floor(times.length / 2)]
let sum = 0
for (const value of vector) sum += value

/**
 * A whole job: each rank computes a vector, and all get the sum. Then rank 0 does the same alone, while the others wait
 * for its next message.
 */
const jobs: { steps: number; ms: number; aloneMs: number }[] = []
const counts = steps.split(',').map(Number)
// The first job runs twice: the first run, in which the functions are compiled, does not count.
for (const [at, count] of [...counts.slice(0, 1), ...counts].entries()) {
  await passAround(ring, 2)
  const begin = performance.now()
  addOrbits(vector.fill(0), ring, count)
  await allReduce(ring, vector)
  const ms = startMs + performance.now() - begin
  if (ring.rank !== 0) continue
  const beginAlone = performance.now()
  const alone = new Float64Array(vector.length)
  for (let rank = 0; rank < ring.size; rank++) addOrbits(alone, { rank, size: ring.size }, count)
  const aloneMs = performance.now() - beginAlone
  if (alone.some((value, at) => value !== vector[at])) throw new Error('the ranks and one thread have different sums')
  if (at > 0) jobs.push({ steps: count, ms, aloneMs })
}
if (ring.rank === 0) {
  console.log(JSON.stringify({ size: ring.size, nodes: ring.nodes, hopUs, reduceMs, sum, startMs, jobs }))
}
