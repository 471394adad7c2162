/** The reader's invariant in the simulator: on a correct system, and on three systems with a bug. */
import { exercise, type Fault } from '@repo/exercises/exercise'
import { lastReading } from '@repo/exercises/line'
import { underFaults } from '@repo/exercises/simulated'
import { scenarios } from '@repo/simulator/search'
import type { Handler, System } from '@repo/simulator/simulator'
import fc from 'fast-check'

type Solution = typeof import('./exercise.ts')

export type Bank = 'A' | 'B'

/** What has happened so far. */
export interface Seen {
  /** Whether everything has come to rest: nothing will change any more. */
  ended: boolean
  /** What is in the accounts now, in cents. Each began with 10. */
  balances: Record<Bank, number>
  /** What the banks have booked, in order. A withdrawal has a negative amount. */
  bookings: readonly { bank: Bank; transfer: string; cents: number }[]
  /** What clients asked for, and what they were told so far. */
  transfers: readonly { id: string; from: Bank; to: Bank; cents: number; told?: 'done' | 'refused' }[]
}

type Transfer = Seen['transfers'][number]
type Node = 'teller' | Bank | 'client'
type Message =
  | { do: 'transfer'; transfer: Transfer }
  | { do: 'book'; key: string; transfer: string; cents: number }
  | { do: 'booked' | 'done' | 'refused' }
type Task<Result = void> = Handler<Node, Message, Result>

/** The bugs, and what each does. */
const bugs = {
  'a new key': 'a transfer is made twice',
  'looks first': 'an account is overdrawn',
  'later, unsaved': 'money never arrives',
} as const
type Bug = keyof typeof bugs

/** An objection, and what the invariant had seen. */
interface Objection {
  says: string
  seen: Seen
}

function banks(
  invariant: Solution['invariant'],
  bug?: Bug,
): System<Node, { from: Bank; cents: number }, Message, Objection> {
  return {
    // Faults strike the first node.
    nodes: ['teller', 'A', 'B', 'client'],
    requestEveryMs: 1,
    mostMs: 10_000,
    mostMessages: 500,
    describe,
    begin(world) {
      const balances: Record<Bank, number> = { A: 10, B: 10 }
      /** By bank and key. Banks do not crash here. */
      const answers = new Map<string, Message>()
      const bookings: Seen['bookings'][number][] = []
      const transfers: Transfer[] = []
      const objections: Objection[] = []

      function look(ended = false) {
        // A copy: the invariant may change what it gets.
        const seen = (): Seen => ({
          ended,
          balances: { ...balances },
          bookings: bookings.map((each) => ({ ...each })),
          transfers: transfers.map((each) => ({ ...each })),
        })
        const says = invariant(seen())
        if (says === undefined) return
        objections.push({ says, seen: seen() })
        world.stop()
      }

      /** A bank books what a key stands for once, and gives the same answer from then on. */
      function* book(bank: Bank, { key, transfer, cents }: Message & { do: 'book' }): Task<Message> {
        const known = answers.get(`${bank} ${key}`)
        if (known) return known
        const isEnough = cents > 0 || balances[bank] + cents >= 0
        if (bug === 'looks first') {
          yield { do: 'wait', ms: 3 }
          const meanwhile = answers.get(`${bank} ${key}`)
          if (meanwhile) return meanwhile
        }
        const answer: Message = { do: isEnough ? 'booked' : 'refused' }
        answers.set(`${bank} ${key}`, answer)
        if (!isEnough) return answer
        balances[bank] += cents
        bookings.push({ bank, transfer, cents })
        look()
        return answer
      }

      function* carry(transfer: Transfer, key: string): Task<Message> {
        const { id, from, to, cents } = transfer
        function* deposit(): Task {
          if (bug === 'later, unsaved') yield { do: 'wait', ms: 5 }
          yield { do: 'ask', to, message: { do: 'book', key, transfer: id, cents }, againMs: 100 }
        }
        // What is not done is on the disk, for the time after a crash.
        yield { do: 'save', key, value: transfer }
        const answer = yield {
          do: 'ask',
          to: from,
          message: { do: 'book', key, transfer: id, cents: -cents },
          againMs: 100,
        }
        if (answer.do === 'booked') {
          if (bug === 'later, unsaved') world.later('teller', 0, deposit)
          else yield* deposit()
        }
        yield { do: 'save', key, value: undefined }
        return { do: answer.do === 'booked' ? 'done' : 'refused' }
      }

      function* resume(transfer: Transfer, key: string): Task {
        yield* carry(transfer, key)
      }

      function* ask(transfer: Transfer): Task {
        const answer = yield { do: 'ask', to: 'teller', message: { do: 'transfer', transfer }, againMs: 500 }
        transfer.told = answer.do as 'done' | 'refused'
        look()
      }

      return {
        request({ from, cents }) {
          const transfer: Transfer = { id: `t${transfers.length + 1}`, from, to: from === 'A' ? 'B' : 'A', cents }
          transfers.push(transfer)
          world.run('client', ask(transfer))
        },
        start(node, disk) {
          if (node === 'A' || node === 'B')
            return (message) => (message.do === 'book' ? book(node, message) : undefined)
          let keys = disk.size
          // Not while the node is starting.
          for (const [key, transfer] of disk) {
            if (transfer) world.later(node, 0, () => resume(transfer as Transfer, key))
          }
          return (message) => {
            if (message.do !== 'transfer') return undefined
            const { transfer } = message
            return carry(transfer, bug === 'a new key' ? `${transfer.id}.${++keys}` : transfer.id)
          }
        },
        check() {
          if (objections.length === 0) look(true)
          return objections
        },
      }
    },
  }
}

/** The checker's own invariant, for the history that the reader's lets pass. It waits until the bug has had its whole effect. */
function reference({ ended, balances, bookings, transfers }: Seen): string | undefined {
  if (balances.A < 0 || balances.B < 0) return bugs['looks first']
  if (!ended) return undefined
  for (const { id, from, to } of transfers) {
    const booked = (bank: Bank) => bookings.filter((each) => each.transfer === id && each.bank === bank).length
    if (booked(from) !== booked(to)) return bugs['later, unsaved']
    if (booked(from) > 1) return bugs['a new key']
  }
  return undefined
}

function describe(message: Message): string {
  switch (message.do) {
    case 'transfer':
      return `${message.transfer.id}: ${message.transfer.cents} from ${message.transfer.from}`
    case 'book':
      return `${message.key}: ${signed(message.cents)}`
    default:
      return message.do
  }
}

const signed = (cents: number) => (cents < 0 ? `−${-cents}` : `+${cents}`)
const seenText = ({ ended, balances, bookings }: Seen) => {
  const booked = bookings.map(({ bank, transfer, cents }) => `${bank} ${signed(cents)} (${transfer})`)
  return `${ended ? 'at the end ' : ''}A has ${balances.A}, B has ${balances.B}; booked: ${booked.join(', ') || 'nothing'}`
}

const requests = fc.array(
  fc.record({ from: fc.constantFrom<Bank[]>('A', 'B'), cents: fc.integer({ min: 1, max: 8 }) }),
  {
    minLength: 1,
    maxLength: 3,
  },
)
const settings = { scenarios: scenarios({ requests, nodes: 1, messages: 24, withinMs: 30 }), histories: 1_200 }

function falseAlarm(invariant: Solution['invariant'], { says, seen }: Objection): Fault {
  return {
    says: 'False alarm: in this history nothing is wrong.',
    expected: `undefined: ${seenText(seen)}`,
    received: `"${says}"`,
    line: lastReading(seen, invariant),
    why: 'The system is the correct one. What holds only when everything is at rest must wait for `ended`.',
  }
}

export default exercise<Solution>({
  async check({ invariant }) {
    const alarm = await underFaults(banks(invariant), settings, (objection) => falseAlarm(invariant, objection))
    if (alarm) return alarm
    const missed: Bug[] = []
    for (const bug of Object.keys(bugs) as Bug[]) {
      const found = await underFaults(banks(invariant, bug), { ...settings, beginnings: 1 }, ({ says }) => ({ says }))
      if (!found) missed.push(bug)
    }
    const [bug] = missed
    if (bug === undefined) return undefined
    const isSilent = missed.length === Object.keys(bugs).length
    return await underFaults(banks(reference, bug), { ...settings, beginnings: 20 }, ({ seen }) => ({
      says: isSilent
        ? 'Your invariant never objects: it lets all three bugs pass.'
        : `A bug gets past your invariant: ${bugs[bug]}.`,
      expected: `an objection, such as "${bugs[bug]}"`,
      received: `undefined: ${seenText(seen)}`,
      why: isSilent
        ? `This is the shortest history of one of them: ${bugs[bug]}.`
        : 'This is the shortest history that it lets pass.',
    }))
  },
})
