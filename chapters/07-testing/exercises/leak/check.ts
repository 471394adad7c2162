/** Users come and go, the garbage is collected, and weak references tell who is still there. */
import { EventEmitter, getEventListeners } from 'node:events'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { getHeapSnapshot, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { exercise, type Fault } from '@repo/exercises/exercise'
import { declaredAt } from '@repo/exercises/line'
import { pathTo } from '../../src/inspect/heap.ts'
import type { RawSnapshot } from '../../src/inspect/snapshot.ts'

type Solution = typeof import('./exercise.ts')
type Desk = InstanceType<Solution['Desk']>

export class User {
  readonly name: string
  readonly inbox: string[] = []
  constructor(name: string) {
    this.name = name
  }
}

/** What lives as long as the process. */
interface Place {
  desk: Desk
  news: EventEmitter
  closing: AbortController
}

function open({ Desk }: Solution): Place {
  // Eight listeners that were left behind are for this checker to report, not for Node.
  const news = new EventEmitter().setMaxListeners(0)
  return { desk: new Desk(news), news, closing: new AbortController() }
}

const listenersOf = ({ news, closing }: Place) =>
  news.listenerCount('news') + getEventListeners(closing.signal, 'abort').length

/** What users do before they go. */
const visits: Record<string, { method: string; says: string; visit: (user: User, place: Place) => unknown }> = {
  cache: {
    method: 'page',
    says: 'The cache keeps users in memory after they have left.',
    visit: (user, { desk }) => void desk.page(user, ({ name }) => `<h1>${name}</h1>`),
  },
  news: {
    method: 'follow',
    says: 'The emitter keeps users in memory after they have stopped following.',
    visit: (user, { desk }) => desk.follow(user)(),
  },
  answered: {
    method: 'answer',
    says: 'The signal keeps users in memory after they have answered.',
    visit: (user, { desk, closing }) => desk.answer(user, Promise.resolve('yes'), closing.signal),
  },
  failed: {
    method: 'answer',
    says: 'The signal keeps users in memory after their answer has failed.',
    visit: (user, { desk, closing }) =>
      desk.answer(user, Promise.reject(new Error('typo')), closing.signal).catch(() => {}),
  },
}

const visitors = 8

/** Lets users come and go. Only the place may refer to them afterwards. */
async function comeAndGo(visit: (user: User, place: Place) => unknown, place: Place): Promise<WeakRef<User>[]> {
  const refs: WeakRef<User>[] = []
  for (let number = 1; number <= visitors; number++) {
    const user = new User(`user ${number}`)
    refs.push(new WeakRef(user))
    await visit(user, place)
  }
  return refs
}

/** Collects the garbage, and returns how many of the users are still there. */
async function collect(refs: readonly WeakRef<User>[], gc: () => void): Promise<number> {
  let left = refs.length
  for (let tries = 0; tries < 5 && left > 0; tries++) {
    // What a weak reference has returned stays until the turn of the event loop is over.
    await setImmediate()
    gc()
    await setImmediate()
    left = refs.filter((ref) => ref.deref() !== undefined).length
  }
  return left
}

/** Returns what refers to a user, by names of variables and properties. */
async function keeper(): Promise<string> {
  // What was looked at a moment ago is not yet free.
  await setImmediate()
  const snapshot = JSON.parse(await text(getHeapSnapshot())) as RawSnapshot
  const path = pathTo(snapshot, 'User')
  const from = path.findLastIndex((step) => /^(desk|news|closing): \p{Lu}/u.test(step))
  return path
    .slice(Math.max(0, from))
    .filter((step, at, steps) => step !== steps[at - 1])
    .map((step) => (step === 'system / Context' ? 'a closure' : step))
    .join(' → ')
}

/** Returns what the desk no longer does. */
async function stillWorks(solution: Solution): Promise<Fault | undefined> {
  const { desk, news, closing } = open(solution)
  const [ann, bob] = [new User('Ann'), new User('Bob')]

  let rendered = 0
  const render = ({ name }: User) => `${name}, ${++rendered}`
  const other = new User('Ann')
  const pages = [ann, bob, ann, other].map((user) => desk.page(user, render)).join('; ')
  if (pages !== 'Ann, 1; Bob, 2; Ann, 1; Ann, 3') {
    const expected = 'Ann, 1; Bob, 2; Ann, 1; Ann, 3 (another Ann)'
    return {
      says: 'page does not return the page that it has rendered before.',
      expected,
      received: pages,
      line: declaredAt('page'),
    }
  }

  const leave = desk.follow(ann)
  desk.follow(bob)
  news.emit('news', 'sun')
  leave()
  news.emit('news', 'rain')
  const inboxes = `Ann: ${ann.inbox.join(', ')}; Bob: ${bob.inbox.join(', ')}`
  if (inboxes !== 'Ann: sun; Bob: sun, rain') {
    const expected = 'Ann: sun; Bob: sun, rain (Ann leaves after the sun)'
    return {
      says: 'News does not reach exactly those who follow.',
      expected,
      received: inboxes,
      line: declaredAt('follow'),
    }
  }

  const outcome = async (answer: Promise<string>) => await answer.catch((error) => `fails: ${(error as Error).message}`)
  const answers = [
    await outcome(desk.answer(ann, Promise.resolve('yes'), closing.signal)),
    await outcome(desk.answer(ann, Promise.reject(new Error('typo')), closing.signal)),
  ]
  const waiting = outcome(desk.answer(bob, new Promise(() => {}), closing.signal))
  closing.abort(new Error('evening'))
  answers.push(await waiting, bob.inbox.at(-1) ?? '')
  const expected = 'yes; fails: typo; fails: evening; We are closing.'
  const says = 'answer does not do what it did.'
  if (answers.join('; ') !== expected)
    return { says, expected, received: answers.join('; '), line: declaredAt('answer') }
  return undefined
}

export default exercise<Solution>({
  async check(solution) {
    const broken = await stillWorks(solution)
    if (broken) return broken

    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    const leaks: { name: string; left: number; place: Place }[] = []
    let listening: Fault | undefined
    for (const [name, { visit, method }] of Object.entries(visits)) {
      const place = open(solution)
      const left = await collect(await comeAndGo(visit, place), gc)
      // A real leak keeps them all.
      if (left > visitors / 2) leaks.push({ name, left, place })
      const listeners = listenersOf(place)
      if (listeners > 0) {
        const says = 'The users are gone, but each has left a listener behind: the process still grows.'
        listening ??= { says, expected: 'no listener', received: String(listeners), line: declaredAt(method) }
      }
    }
    const [first] = leaks
    if (first === undefined) return listening
    const { says, method } = visits[first.name] as (typeof visits)[string]
    const isEverywhere = leaks.length === Object.keys(visits).length
    // The heap has only this one, so that its path and the line are about the same place.
    leaks.splice(1)
    return {
      says: isEverywhere ? 'Users stay in memory after they have left, in all three places.' : says,
      expected: `none of ${visitors} users after the garbage collection`,
      received: String(first.left),
      line: declaredAt(method),
      why: `In the heap a user is kept by ${await keeper()}.`,
    }
  },
})
