/** A way to move money as a system for the simulator, what must hold of it, and a crash after each of its effects. */
import { scenarios } from '@repo/simulator/search'
import { type Happening, type Scenario, type System, simulate } from '@repo/simulator/simulator'
import fc from 'fast-check'
import { type Change, type Extremes, extremesOf, opening } from './reader.ts'
import { emptyState, type State, startStore } from './store.ts'
import {
  type Answer,
  fateOf,
  isNaive,
  type Message,
  type Node,
  nodes,
  receiver,
  relay,
  rolesOf,
  startService,
  type Transfer,
  type Way,
} from './ways.ts'

/** A transfer from anna, who has 100 in A. `nobody` has no account in B, so that the credit is refused. */
export interface Wanted {
  to: 'ben' | 'nobody'
  amount: number
}

export interface Violation {
  what: 'lost' | 'doubled' | 'wrong answer' | 'unfinished'
  detail: string
}

/** A run ends when nothing has happened for this time: longer than any fault, and any message that is late. */
const quietMs = 700

/** The system for the simulator. Its clients ask again until they are answered; those of the naive ways ask once. */
export function transferSystem(
  way: Way,
  onChange?: (change: Change) => void,
): System<Node, Wanted, Message, Violation> {
  return {
    nodes,
    requestEveryMs: 15,
    mostMs: 10_000,
    mostMessages: 5_000,
    describe,
    begin(world) {
      const roles = rolesOf(way)
      const transfers: Transfer[] = []
      const answers = new Map<string, Answer>()
      const A = emptyState([['anna', opening]])
      const states = { A, B: emptyState([['ben', 0]]), queue: emptyState() }
      const all = () => Object.values(states)
      let lastMs = 0

      const isOpen = () =>
        all().some(({ outbox, prepared }) => outbox.length + prepared.length > 0) ||
        (!isNaive(way) && answers.size < transfers.length)
      const watch = () =>
        world.later('client', 50, () => {
          if (isOpen()) lastMs = world.now
          if (world.now - lastMs > quietMs) world.stop()
          watch()
          return undefined
        })
      watch()

      return {
        request({ to, amount }) {
          const transfer = { id: `t${transfers.length + 1}`, from: 'anna', to, amount }
          transfers.push(transfer)
          const message = { do: 'transfer', transfer } as const
          world.run(
            'client',
            (function* () {
              const answer = yield { do: 'ask', to: 'service', message, againMs: isNaive(way) ? 1e9 : 100 }
              answers.set(transfer.id, answer as Answer)
            })(),
          )
        },
        start(node, disk) {
          if (node === 'service') return startService(world, disk, way)
          if (node === 'A' || node === 'B' || node === 'queue') {
            return startStore((disk.get('state') as State | undefined) ?? states[node], (state) => {
              states[node] = state
              lastMs = world.now
              const sum = sumOf(states.A) + sumOf(states.B)
              onChange?.({ atMs: world.now, sum, locked: all().flatMap(({ prepared }) => prepared).length })
            })
          }
          if (node === 'relay' && roles.includes(node)) world.run(node, relay())
          if (node === 'receiver' && roles.includes(node)) world.run(node, receiver())
          return () => undefined
        },
        check() {
          return transfers.flatMap(({ id, amount }): Violation[] => {
            const debited = -(states.A.booked.get(id) ?? 0) / amount
            const credited = (states.B.booked.get(id) ?? 0) / amount
            const answer = answers.get(id)
            const detail = `${id} was debited ${debited} times and credited ${credited} times; answer: ${answer ?? 'none'}`
            const fate = fateOf(debited, credited)
            if (fate) return [{ what: fate, detail }]
            if (isNaive(way)) return []
            if (isOpen()) return [{ what: 'unfinished', detail }]
            // The outbox answers when the transfer is sure to be carried out, or to be undone.
            const isWrong = answer === 'refused' ? credited > 0 : credited === 0 && way !== 'outbox'
            return isWrong ? [{ what: 'wrong answer', detail }] : []
          })
        },
      }
    },
  }
}

const sumOf = ({ balances }: State) => [...balances.values()].reduce((sum, balance) => sum + balance, 0)

/** What the naive ways can do is enough to break them: nobody has told them what to do when something is refused. */
const plain: Wanted = { to: 'ben', amount: 10 }

/** Scenarios of one to four transfers. Faults strike messages and everybody but the client; with the naive ways, only crashes. */
export function transferScenarios(way: Way): fc.Arbitrary<Scenario<Wanted>> {
  const wanted = fc.record({ to: fc.constantFrom('ben', 'ben', 'nobody'), amount: fc.constantFrom(10, 30, 80) })
  const range = { nodes: nodes.length - 1, messages: 60, withinMs: 150 }
  if (!isNaive(way)) return scenarios({ ...range, requests: fc.array(wanted, { minLength: 1, maxLength: 4 }) })
  const strikes = fc.record({
    node: fc.constantFrom(nodes.indexOf('service'), nodes.indexOf('receiver')),
    fate: fc.constant('crash after'),
    effects: fc.integer({ min: 1, max: mostEffects }),
    ms: fc.constant(100),
  })
  const requests = fc.array(fc.constant(plain), { minLength: 1, maxLength: 4 })
  return scenarios({ ...range, requests, strikes }).map((scenario) => ({
    ...scenario,
    jitter: 0,
    paces: 0,
    messages: [],
  }))
}

/** What became of a transfer whose service, relay or receiver crashed. */
export interface Crash extends Extremes {
  node: string
  /** The node crashed after this effect, from 1. */
  effects: number
  to: Wanted['to']
  atMs: number
  what: Violation['what'] | undefined
  changes: Change[]
}

/**
 * Runs a transfer to ben, and one to nobody, without a fault and with a crash of each process after each of its effects.
 *
 * @param downMs how long the process is down
 */
export function crashAtEachEffect(way: Way, downMs: number): { messages: number; crashes: Crash[] } {
  const run = (to: Wanted['to'], crash?: { node: number; effects: number }) => {
    const changes: Change[] = [{ atMs: 0, sum: opening, locked: 0 }]
    const { violations, history } = simulate(
      transferSystem(way, (change) => changes.push(change)),
      {
        requests: [{ ...plain, to }],
        jitter: 0,
        messages: [],
        nodes: crash ? [{ ...crash, fate: 'crash after', ms: downMs }] : [],
      },
      { record: true },
    )
    return { what: violations[0]?.what, changes, history, lastMs: changes.at(-1)?.atMs ?? 0 }
  }

  const crashes: Crash[] = []
  for (const to of isNaive(way) ? [plain.to] : (['ben', 'nobody'] as const)) {
    const { lastMs } = run(to)
    for (const node of rolesOf(way)) {
      for (let effects = 1; effects < mostEffects; effects++) {
        const { what, changes, history } = run(to, { node: nodes.indexOf(node), effects })
        const at = history.find(({ kind }) => kind === 'node')
        // It has nothing more to do.
        if (at?.kind !== 'node' || at.atMs > lastMs) continue
        crashes.push({ node, effects, to, atMs: at.atMs, what, ...extremesOf(changes), changes })
      }
    }
  }
  // Without the client, and without the questions that are asked all the time.
  const messages = run('ben').history.filter(
    (line) => line.kind === 'message' && line.from !== 'client' && line.to !== 'client' && !isPoll(line),
  )
  return { messages: messages.length, crashes }
}

const mostEffects = 40

/** Whether a line of a history is a question for messages where there are none, or its answer. */
export const isPoll = (line: Happening): boolean =>
  line.kind === 'message' && (line.text === 'first' || line.text === 'nothing')

function describe(message: Message): string {
  if (typeof message === 'string') return message
  if (message.do === 'transfer') return `move ${message.transfer.amount} from anna to ${message.transfer.to}`
  if ('key' in message && message.do !== 'book') return `${message.do} ${message.key}`
  const booking = message.do === 'book' ? message : 'booking' in message ? message.booking : undefined
  if (!booking) return message.do
  return `${message.do} ${booking.account} ${booking.amount > 0 ? '+' : '−'}${Math.abs(booking.amount)}`
}
