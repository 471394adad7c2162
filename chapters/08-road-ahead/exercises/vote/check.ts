/** Two candidates ask one server for its vote, and the server crashes: first one after the other, then at the same time. */
import { exercise, type Fault } from '@repo/exercises/exercise'
import { declaredAt } from '@repo/exercises/line'
import { underFaults } from '@repo/exercises/simulated'
import { scenarios } from '@repo/simulator/search'
import type { Effect, Handler, Scenario, System } from '@repo/simulator/simulator'
import fc from 'fast-check'

type Solution = typeof import('./exercise.ts')

/** What a candidate asks: the vote for itself in a term. */
export interface Ask {
  term: number
  candidate: string
}

/** What is on the disk. */
export interface Ballot {
  term: number
  votedFor: string | undefined
}

/** What runs with `yield*`: it takes a while, and the server may crash meanwhile. */
export type Steps<Result> = Generator<Effect<Node, Message>, Result, Message>

export interface Disk {
  /** Replaces what is on the disk. Returns when it is there. */
  save: (ballot: Ballot) => Steps<void>
}

type Node = 'c' | 'a' | 'b'
type Message = Ask | { isGranted: boolean }
type Request = Pick<Ask, 'term'> & { candidate: 'a' | 'b' }

/** @param isCalm whether each request has its answer before the next one */
function election({ Voter }: Solution, isCalm: boolean): System<Node, Request, Message, Fault> {
  return {
    // Faults strike the first node.
    nodes: ['c', 'a', 'b'],
    requestEveryMs: isCalm ? 500 : 4,
    mostMs: 5_000,
    mostMessages: 200,
    describe: (message) =>
      'term' in message ? `vote for me in term ${message.term}?` : message.isGranted ? 'my vote' : 'no',
    begin(world) {
      /** What was on the disk at each start of c. */
      const starts: (Ballot | undefined)[] = []
      /** The first vote for each candidate of a term, and after how many starts it was given. */
      const votes: (Ask & { start: number })[] = []
      const received: Ask[] = []
      let fault: Fault | undefined
      /** What c should know, if it is calm. */
      let known: Ballot = { term: 0, votedFor: undefined }

      function breaks(found: Fault) {
        fault ??= found
        world.stop()
      }

      function* serve(voter: InstanceType<Solution['Voter']>, ask: Ask): Handler<Node, Message, Message> {
        const start = starts.length
        const isGranted = yield* voter.vote({ ...ask }, { save })
        if (isGranted && !votes.some((vote) => isSame(vote, ask))) votes.push({ ...ask, start })
        return { isGranted }
      }

      function* save(ballot: Ballot): Steps<void> {
        // The disk has to do with others, too.
        yield { do: 'wait', ms: 10 }
        yield { do: 'save', key: 'ballot', value: { ...ballot } }
      }

      function* stand({ term, candidate }: Request): Handler<Node, Message> {
        const ask = { term, candidate }
        const answer = yield { do: 'ask', to: 'c', message: ask, againMs: 200 }
        const isGranted = 'isGranted' in answer && answer.isGranted
        if (isCalm) judge(ask, isGranted)
        if (!isGranted) return
        received.push(ask)
        const other = received.find((each) => each.term === term && each.candidate !== candidate)
        if (other) breaks(twoVotes(other, ask))
      }

      function judge(ask: Ask, isGranted: boolean) {
        if (ask.term > known.term) known = { term: ask.term, votedFor: undefined }
        const isFree = known.votedFor === undefined || known.votedFor === ask.candidate
        const isRight = ask.term === known.term && isFree
        if (isRight) known.votedFor = ask.candidate
        if (isRight && !isGranted) breaks(refusal(ask))
        if (isGranted && ask.term < known.term)
          breaks({ says: 'c votes in a term that is over.', line: declaredAt('vote') })
      }

      function twoVotes(one: Ask, other: Ask): Fault {
        const given = votes.filter((vote) => isSame(vote, one) || isSame(vote, other))
        const [first, second] = given.sort((a, b) => a.start - b.start)
        const found = starts[(second?.start ?? 0) - 1]
        const shared = {
          expected: `one of a and b leads term ${one.term}`,
          received: `${one.candidate} and ${other.candidate} have the vote of c: both lead it`,
          line: declaredAt('vote'),
        }
        if (first?.start === second?.start) {
          const why = 'Another call of vote may begin while this one saves. What it finds in the variables decides.'
          return {
            says: 'c votes twice in a term, without a crash: it was asked while its disk was busy.',
            ...shared,
            why,
          }
        }
        if (found && isSame({ term: found.term, candidate: found.votedFor ?? '' }, first as Ask)) {
          const says = 'c votes twice in a term, although its first vote was on the disk.'
          return { says, ...shared, line: declaredAt('constructor') ?? shared.line }
        }
        const why = 'An answer cannot be taken back. What it promises must be on the disk before.'
        return { says: 'c votes twice in a term: its first vote was not on the disk when it crashed.', ...shared, why }
      }

      return {
        request: (request) => world.run(request.candidate, stand(request)),
        start(node, disk) {
          if (node !== 'c') return () => undefined
          const saved = disk.get('ballot') as Ballot | undefined
          starts.push(saved && { ...saved })
          const voter = new Voter(saved)
          return (message) => ('term' in message ? serve(voter, message) : undefined)
        },
        check: () => (fault ? [fault] : []),
      }
    },
  }
}

const isSame = (a: Ask, b: Ask) => a.term === b.term && a.candidate === b.candidate

const refusal = ({ term, candidate }: Ask): Fault => ({
  says: 'c refuses a vote that it may give.',
  expected: `c votes for ${candidate} in term ${term}: nobody else has its vote`,
  received: 'no',
  line: declaredAt('vote'),
})

const asks = fc.record({ term: fc.integer({ min: 1, max: 2 }), candidate: fc.constantFrom('a' as const, 'b' as const) })
const requests = fc.array(asks, { minLength: 1, maxLength: 5 })
const faulty = scenarios({ requests, nodes: 1, messages: 12, withinMs: 30 })
/** No message is lost, and c crashes between two requests, or while it handles one. */
const calm = fc
  .record({
    requests,
    crashes: fc.array(fc.record({ atMs: fc.nat(2_000), ms: fc.integer({ min: 1, max: 20 }) }), { maxLength: 2 }),
  })
  .map(({ requests, crashes }): Scenario<Request> => {
    return { requests, jitter: 0, messages: [], nodes: crashes.map((each) => ({ node: 0, fate: 'crash', ...each })) }
  })

export default exercise<Solution>({
  check: async (solution) =>
    (await underFaults(election(solution, true), { scenarios: calm, histories: 300 }, (fault) => fault)) ??
    (await underFaults(election(solution, false), { scenarios: faulty, histories: 2_500 }, (fault) => fault)),
})
