import { claims } from '@repo/common/example/claims'
import amdahl from '../examples/amdahl.ts'

type Rows = Awaited<ReturnType<typeof amdahl.run>>['rows']

function of(rows: Rows, workers: number) {
  const row = rows.find((row) => row.workers === workers)
  if (!row) throw new Error(`no row of ${workers} workers`)
  return row
}

export default claims(amdahl, {
  'tenfold-workers-do-not-double': {
    says: 'With 99 % of the work divisible, 1000 workers are less than twice as fast as 100.',
    holds: ({ rows }) => of(rows, 1000).amdahl < 2 * of(rows, 100).amdahl,
    values: ({ rows }) => `${of(rows, 1000).amdahl.toFixed(1)}×, ${of(rows, 100).amdahl.toFixed(1)}×`,
  },
  'thousand-workers-wait': {
    says: 'The thousand workers spend 91 % of their time waiting.',
    holds: ({ rows }) => Math.round(100 * (1 - of(rows, 1000).efficiency)) === 91,
    values: ({ rows }) => `${(100 * (1 - of(rows, 1000).efficiency)).toFixed(1)} %`,
  },
  'gustafson-keeps-growing': {
    says: "By Gustafson's law, ten times the workers do nearly ten times the work.",
    holds: ({ rows }) => of(rows, 1000).gustafson > 9.9 * of(rows, 100).gustafson,
    values: ({ rows }) => `${of(rows, 1000).gustafson.toFixed(1)}×, ${of(rows, 100).gustafson.toFixed(1)}×`,
  },
})
