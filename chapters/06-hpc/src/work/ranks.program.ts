/** One rank of the `ranks` example: `node ranks.mjs FOLDER HOST LAPS LENGTH`. Rank 0 prints the results as JSON. */
import { hostname } from 'node:os'
import { allReduce, joinRing, passAround, placeIn } from './ring.ts'

const [folder = '', host = '', laps = '', length = ''] = process.argv.slice(2)
const node = process.env.SLURMD_NODENAME ?? process.env.PRACTICE_NODE ?? hostname()
const place = placeIn(process.env)
using ring = await joinRing({ ...place, folder, host: host === 'own' ? hostname() : host, node })

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
if (ring.rank === 0) console.log(JSON.stringify({ size: ring.size, nodes: ring.nodes, hopUs, reduceMs, sum }))
