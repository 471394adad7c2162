/** A way to move money as a system for the simulator, what must hold of it, and a crash after each of its effects. */
import { scenarios } from '@repo/simulator/search'
import { calm, type Happening, type Scenario, type Strike, type System, simulate } from '@repo/simulator/simulator'
import fc from 'fast-check'
import { type Change, extremesOf, opening } from './reader.ts'
import { type State, transact } from './store.ts'
import {
  type Answer,
  carriers,
  effectsOf,
  type Fate,
  fateOf,
  isBalanced,
  isNaive,
  type Message,
  type Node,
  nodes,
  rolesOf,
  startService,
  type Transfer,
  type Way,
} from './ways.ts'

/** A transfer from anna, who has 100 in A. `nobody` has no account in B, so that the credit is refused. */
export type Wanted = Pick<Transfer, 'to' | 'amount'>

export interface Violation {
  what: Fate | 'wrong balance' | 'wrong answer' | 'unfinished'
  detail: string
}

/** A run ends when nothing has happened for this time: longer than any fault, and any message that is late. */
const quietMs = 700

/** The system for the simulator. Its clients order again until they are answered; those of the naive ways order once. */
export function transferSystem(
  way: Way,
  onChange?: (change: Change) => void,
): System<Node, Wanted, Message, Violation> {
  return {
    nodes,
    requestEveryMs: 15,
    mostMs: 100_000,
    describe,
    begin(world) {
      const transfers: Transfer[] = []
      const answers = new Map<string, Answer>()
      /** The transfers whose clients were told the one and then the other. */
      const changed = new Set<string>()
      let serviceStarts = 0
      const stateOf = (accounts: State['accounts']): State => ({ accounts, bookings: [], outbox: [], prepared: [] })
      const [A, B, queue] = [stateOf({ anna: opening }), stateOf({ ben: 0 }), stateOf({})]
      let order: ReturnType<typeof startService> | undefined
      const isOpen = () =>
        [A, B, queue].some(({ outbox, prepared }) => outbox.length + prepared.length > 0) ||
        (!isNaive(way) && answers.size < transfers.length)

      let changes = 0
      /** Something has happened. If nothing else does in time, the run ends. */
      function settle() {
        const own = ++changes
        world.later('service', quietMs, () => void (own === changes && !isOpen() && world.stop()))
        const sum = A.accounts.anna + B.accounts.ben
        onChange?.({ atMs: world.now, sum, locked: A.prepared.length + B.prepared.length })
      }
      function onAnswer(answer: Answer, { id }: Transfer) {
        if ((answers.get(id) ?? answer) !== answer) changed.add(id)
        answers.set(id, answer)
        settle()
      }

      return {
        request(wanted) {
          const transfer = { id: `t${transfers.length + 1}`, from: 'anna', ...wanted }
          transfers.push(transfer)
          order?.(transfer)
        },
        back(node) {
          if (node === 'service' && !isNaive(way)) for (const transfer of transfers) order?.(transfer)
        },
        start(node, disk) {
          if (node === 'A' || node === 'B' || node === 'queue')
            return (message) => {
              const answer = transact({ A, B, queue }[node], message)
              if (message !== 'first') settle()
              return answer
            }
          if (node === 'service') {
            serviceStarts++
            order = startService(way, disk, (task) => world.run(node, task), onAnswer)
          } else if (node in effectsOf[way]) for (const task of carriers[node]()) world.run(node, task)
          return () => undefined
        },
        check() {
          // Only nobody's account is missing, and only those who order more than there is may be refused for that. A
          // coordinator that comes back without a decision aborts.
          const isEnough = transfers.reduce((sum, { amount }) => sum + amount, 0) <= opening
          const mayRefuse = !isEnough || (way === '2pc' && serviceStarts > 1)
          const violations = transfers.flatMap((transfer): Violation[] => {
            const { debited, credited, fate } = fateOf(transfer, A.bookings, B.bookings)
            const answer = answers.get(transfer.id)
            const times = `was debited ${debited} times and credited ${credited} times`
            const detail = `${transfer.id} ${times}; answer: ${answer ?? 'none'}`
            if (fate) return [{ what: fate, detail }]
            if (isNaive(way)) return []
            if (isOpen()) return [{ what: 'unfinished', detail }]
            // The outbox answers when the transfer is sure to be carried out, or to be undone.
            const isWrong = answer === 'refused' ? credited > 0 : credited === 0 && way !== 'outbox'
            const isRefused = credited === 0 && transfer.to === 'ben' && !mayRefuse
            return isWrong || isRefused || changed.has(transfer.id) ? [{ what: 'wrong answer', detail }] : []
          })
          if (!isBalanced(transfers, A, B))
            violations.push({
              what: 'wrong balance',
              detail: `A has ${JSON.stringify(A.accounts)}, B has ${JSON.stringify(B.accounts)}, and they have booked something else`,
            })
          return violations
        },
      }
    },
  }
}

/** What the naive ways can do is enough to break them: nobody has told them what to do when something is refused. */
const plain: Wanted = { to: 'ben', amount: 10 }

/** Scenarios of one to four transfers. Faults strike messages and every node; with the naive ways, there are only crashes. */
export function transferScenarios(way: Way): fc.Arbitrary<Scenario<Wanted>> {
  const wanted = fc.record({ to: fc.constantFrom('ben', 'ben', 'nobody'), amount: fc.constantFrom(10, 30, 80) })
  const requests = fc.array(isNaive(way) ? fc.constant(plain) : wanted, { minLength: 1, maxLength: 4 })
  const range = { requests, nodes: nodes.length, messages: 60, withinMs: 150 }
  if (!isNaive(way)) return scenarios(range)
  const strikes = fc.record({
    node: fc.constantFrom(nodes.indexOf('service'), nodes.indexOf('receiver')),
    fate: fc.constant('crash after'),
    effects: fc.integer({ min: 1, max: mostEffects }),
    ms: fc.constant(100),
  })
  return scenarios({ ...range, strikes }).map(({ requests, nodes }) => ({ ...calm, requests, nodes }))
}

const mostEffects = 40

/** What became of a transfer during which a process crashed after one of its effects, from 1. */
export type Crash = ReturnType<typeof crashAfterEach>['crashes'][number]

/**
 * Runs a transfer to ben, and one to nobody, without a fault and with a crash of each process after each of its effects.
 *
 * @param downMs how long the process is down
 */
export function crashAfterEach(way: Way, downMs: number) {
  function run(to: Wanted['to'], ...strikes: Strike[]) {
    const changes: Change[] = [{ atMs: 0, sum: opening, locked: 0 }]
    const system = transferSystem(way, (change) => changes.push(change))
    const scenario = { ...calm, requests: [{ ...plain, to }], nodes: strikes }
    const { violations, history } = simulate(system, scenario, { record: true })
    return { history, changes, what: violations[0]?.what, ...extremesOf(changes) }
  }
  const crashes = []
  for (const to of isNaive(way) ? ['ben'] : ['ben', 'nobody']) {
    const lastMs = run(to).changes.at(-1)?.atMs ?? 0
    for (const node of rolesOf(way)) {
      for (let effects = 1; effects <= mostEffects; effects++) {
        const { history, ...seen } = run(to, { node: nodes.indexOf(node), fate: 'crash after', effects, ms: downMs })
        const crash = history.find((line) => line.kind === 'node')
        // Otherwise it had nothing more to do.
        if (crash && crash.atMs <= lastMs) crashes.push({ node, effects, to, atMs: crash.atMs, ...seen })
      }
    }
  }
  return { crashes, messages: run('ben').history.filter((line) => !isPoll(line)).length }
}

/** Whether a line of a history is a question for messages where there are none, or its answer. */
export const isPoll = (line: Happening): boolean =>
  line.kind === 'message' && (line.text === 'first' || line.text === 'nothing')

function describe(message: Message): string {
  if (typeof message === 'string') return message
  const { account, amount } = message.booking
  return `${message.do} ${account} ${amount > 0 ? '+' : '−'}${Math.abs(amount)}`
}
