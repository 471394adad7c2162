/** Two clients add lines to a page, in virtual time: they are paused while they hold a lock, which runs out meanwhile. */
import { type Stage, underEverySchedule } from '@repo/exercises/actors'
import { exercise, type Fault, longestHistory, type Step } from '@repo/exercises/exercise'
import { upTo } from '@repo/exercises/history'
import { declaredAt } from '@repo/exercises/line'

type Solution = typeof import('./exercise.ts')

/** A lock on a server, for some time at most. Each call is one step there. */
export interface Lock {
  /** Waits until nobody has the lock or its time has run out, takes it, and returns a token larger than all before. */
  take(): Promise<number>
  /** Returns whether the lock is still that of this token. */
  isHeld(token: number): Promise<boolean>
  /** Frees the lock if it is still that of this token. */
  free(token: number): Promise<void>
}

/** Your store, as a client sees it: over a network. */
export interface RemoteStore {
  read(token: number): Promise<readonly string[] | 'refused'>
  write(token: number, page: readonly string[]): Promise<'written' | 'refused'>
}

const leaseMs = 60
/** The second client comes when the lease of the first one would have run out. */
const secondComesMs = 70

/** A request that the store did not refuse. */
interface Served {
  who: string
  token: number
  /** What it wrote, unless it was a read. */
  page?: readonly string[]
  step: string
}

interface LockServer {
  tokens: number
  held?: { token: number; untilMs: number }
}

function newLock(stage: Stage, who: string, server: LockServer): Lock {
  const holder = () => (server.held && server.held.untilMs > stage.now ? server.held : undefined)
  const at = () => `(at ${stage.now} ms)`
  return {
    async take() {
      for (;;) {
        const token = await stage.step(
          (taken: number | undefined) => `${taken === undefined ? 'finds it locked' : `locks, token ${taken}`} ${at()}`,
          () => {
            if (holder()) return undefined
            server.held = { token: ++server.tokens, untilMs: stage.now + leaseMs }
            return server.held.token
          },
          { who },
        )
        if (token !== undefined) return token
        await stage.sleep(Math.max(1, (server.held?.untilMs ?? 0) - stage.now), { who })
      }
    },
    isHeld: (token) =>
      stage.step(
        (isHeld: boolean) => `${isHeld ? 'has' : 'has lost'} the lock ${at()}`,
        () => holder()?.token === token,
        { who },
      ),
    async free(token) {
      await stage.step(
        (isFreed: boolean) => `${isFreed ? 'unlocks' : 'has no lock to free'} ${at()}`,
        () => {
          const isMine = holder()?.token === token
          if (isMine) server.held = undefined
          return isMine
        },
        { who },
      )
    },
  }
}

const textOf = (page: readonly string[]) => `[${page.join(', ')}]`

function remote(stage: Stage, who: string, store: InstanceType<Solution['Store']>, served: Served[]): RemoteStore {
  const at = () => `(at ${stage.now} ms)`
  return {
    read: (token) =>
      stage.step(
        (page: readonly string[] | 'refused') =>
          `reads with ${token}: ${page === 'refused' ? page : textOf(page)} ${at()}`,
        () => {
          const page = store.read(token)
          if (page !== 'refused') served.push({ who, token, step: 'reads' })
          return page === 'refused' ? page : [...page]
        },
        { who },
      ),
    write: (token, page) =>
      stage.step(
        (answer: 'written' | 'refused') =>
          `writes ${textOf(page)} with ${token}${answer === 'refused' ? ': refused' : ''} ${at()}`,
        () => {
          const answer = store.write(token, [...page])
          if (answer === 'written') served.push({ who, token, page: [...page], step: 'writes' })
          return answer
        },
        { who },
      ),
  }
}

const twoClients = async ({ Store, add }: Solution, signal: AbortSignal) =>
  await underEverySchedule(
    (stage) => {
      const store = new Store()
      const server: LockServer = { tokens: 0 }
      const served: Served[] = []
      const run = (who: string) => add(`line ${who}`, newLock(stage, who, server), remote(stage, who, store, served))
      return {
        actors: {
          a: async () => await run('a'),
          async b() {
            await stage.sleep(secondComesMs)
            await run('b')
          },
        },
        check({ history }) {
          const fault = lost(served) ?? twice(served)
          if (fault) return { ...fault, history: shown(history) }
          if ((server.held?.untilMs ?? 0) <= stage.now) return undefined
          const why = 'The next client waits until the time of the lock has run out.'
          return { says: 'add returns, and its client still has the lock.', history: shown(history), why }
        },
      }
    },
    { mostDeviations: 3, mostRuns: 1_000, signal },
  )

/** The history up to the last write. The times that were waited are in the other steps. */
const shown = (history: readonly Step[]) =>
  upTo(history, ({ what }) => what.startsWith('writes'))
    .filter(({ what }) => !what.startsWith('has waited'))
    .slice(-longestHistory)

/** A line that a client has added, and that is missing at the end. */
function lost(served: readonly Served[]): Fault | undefined {
  const page = served.findLast((each) => each.page)?.page ?? []
  for (const who of ['a', 'b']) {
    const line = `line ${who}`
    if (page.includes(line)) continue
    const numbers = { expected: 'a page with line a and line b', received: textOf(page) }
    const written = served.findLastIndex((each) => each.page?.includes(line))
    if (written < 0) {
      const why = 'After a refusal nothing has changed in the store.'
      return { says: 'add returns, and its line was never written.', ...numbers, why }
    }
    // The next write had not seen it.
    const at = served.findIndex((each, index) => index > written && each.page)
    const [first, over] = [served[written] as Served, served[at] as Served]
    const before = served.slice(0, at)
    if (before.some(({ token }) => token > over.token)) {
      const why = 'Its lock had run out, and it could not know. The store could: it has seen a larger token.'
      return { says: 'A client that was paused writes over the work of the other one.', ...numbers, why }
    }
    if (!before.some(({ token, step }) => token === over.token && step === 'reads')) {
      const why = 'The new token says that nobody else has the lock now, and nothing about what happened before.'
      return { says: 'A client writes a page that it had read with an earlier token.', ...numbers, why }
    }
    if (first.token < over.token) {
      const says = 'The store takes a write of an old token after it has answered the read of a newer one.'
      const why = 'The newer holder goes by what it has read. From then on nobody before it may change the page.'
      return { says, ...numbers, why }
    }
    return { says: 'A line is lost.', ...numbers }
  }
  return undefined
}

function twice(served: readonly Served[]): Fault | undefined {
  const page = served.findLast((each) => each.page)?.page ?? []
  if (new Set(page).size === page.length) return undefined
  return { says: 'A line is on the page twice.', expected: '[line a, line b]', received: textOf(page) }
}

/** The store alone. */
function alone({ Store }: Solution): { whatItMustServe?: Fault; whatItMustRefuse?: Fault } {
  const store = new Store()
  const line = declaredAt('write')
  const did: Step[] = []
  const call = (token: number, page?: string[]) => {
    const answer = page ? store.write(token, page) : store.read(token)
    const text = typeof answer === 'string' ? answer : textOf(answer)
    did.push({ who: 'store', what: `${page ? `write ${textOf(page)}` : 'read'} with ${token}: ${text}` })
    return answer
  }
  // Somebody may have got token 2, and never come.
  for (const token of [1, 3]) {
    for (const page of [undefined, ['one'], undefined]) {
      if (call(token, page) !== 'refused') continue
      const says = 'The store refuses the token of the latest holder.'
      return { whatItMustServe: { says, history: [...did], line, why: 'A holder reads and writes with one token.' } }
    }
  }
  const refused = [call(1, ['two']), call(1)]
  if (refused.every((answer) => answer === 'refused')) return {}
  const says = 'The store serves token 1 after token 3.'
  return { whatItMustRefuse: { says, history: did, line, why: 'The lock of token 1 has run out, or was given back.' } }
}

export default exercise<Solution>({
  async check(solution, { signal }) {
    const { whatItMustServe, whatItMustRefuse } = alone(solution)
    return whatItMustServe ?? (await twoClients(solution, signal)) ?? whatItMustRefuse
  },
})
