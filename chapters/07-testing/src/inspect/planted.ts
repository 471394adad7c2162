/**
 * Three faults that no test finds, planted in the shipping workers for the example `profile`: a function that is far
 * too slow, a map that only grows, and an occasional long computation. The module is an instrument of the pipeline.
 */
import type { Instrument } from '../pipeline/instruments.ts'

const depots = ['bookham', 'lamport', 'chairton', 'tablewick', 'boxford', 'lampeter', 'chesham', 'tabley']

/** Returns the number of letters to change, by definition: the same pairs of suffixes are compared again and again. */
function editDistance(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length
  const [restA, restB] = [a.slice(1), b.slice(1)]
  if (a[0] === b[0]) return editDistance(restA, restB)
  return 1 + Math.min(editDistance(restA, b), editDistance(a, restB), editDistance(restA, restB))
}

/** Returns the depot whose name is most similar to the item's, for want of a map. */
function nearestDepot(item: string): string | undefined {
  return depots.toSorted((a, b) => editDistance(item, a) - editDistance(item, b))[0]
}

class Receipt {
  readonly order: string
  readonly lines: string[]
  constructor(order: string, depot: string) {
    this.order = order
    this.lines = Array.from({ length: 10 }, (_, at) => `${order} ${depot} ${at}`)
  }
}

/** Kept in case somebody asks. Nothing ever removes one. */
const receipts = new Map<string, Receipt>()

/** Prints everything in one go, although nothing waits for it. It takes this much CPU time on any machine. */
function printReceipts(): number {
  const begin = process.cpuUsage()
  let letters = 0
  while (process.cpuUsage(begin).user < 1_000 * stallMs) {
    for (const receipt of receipts.values()) letters += JSON.stringify(receipt).length
  }
  return letters
}

const stallMs = 400
const stallEvery = 130
let shipped = 0

const plant: Instrument = ({ kind }) =>
  kind !== 'shipping'
    ? {}
    : {
        around: async (step, run) => {
          const result = await run()
          if (step.kind === 'job') {
            const order = step.order ?? ''
            const items = ['book', 'lamp', 'chair', 'table']
            const depot = nearestDepot(items[++shipped % items.length] ?? '') ?? ''
            receipts.set(`${order} ${shipped}`, new Receipt(order, depot))
            if (shipped % stallEvery === 0) printReceipts()
          }
          return result
        },
      }
export default plant
