/** What runs before what: callbacks of every kind, and the order that Node's event loop prescribes for them. */
import { readFile } from 'node:fs'

/**
 * What the code below schedules, in the order in which it runs, and why. It starts in the callback of a file that has been
 * read, the one place from which the order of timers and immediates is certain.
 */
export const predicted = [
  { name: 'async function, up to await', why: 'it is called like any function, and runs at once' },
  { name: 'end of the callback', why: 'nothing interrupts a function that runs' },
  { name: 'nextTick', why: 'before everything else, when the callback has ended' },
  { name: 'nextTick of a nextTick', why: 'this queue is emptied first, also of what is added meanwhile' },
  { name: 'promise.then', why: 'then the microtasks, in the order in which they became ready' },
  { name: 'queueMicrotask', why: 'the same queue as promises' },
  { name: 'code after await', why: 'the same queue again, one microtask later than it was asked for' },
  { name: 'nextTick of a microtask', why: 'when the microtasks are done, ticks are looked at again' },
  { name: 'setImmediate', why: 'the loop goes on from reading (poll) to its next phase, check' },
  { name: 'microtask of setImmediate', why: 'ticks and microtasks come after every single callback' },
  { name: 'second setImmediate', why: 'still in check' },
  { name: 'setTimeout 0', why: 'timers that are due, behind check; 0 means 1 ms' },
  { name: 'setImmediate of setImmediate', why: 'in the next turn of the loop, not in this one' },
] as const

/** Schedules all of that and returns the names in the order in which they ran. */
export async function observe(file: string): Promise<string[]> {
  const order: string[] = []
  const log = (name: (typeof predicted)[number]['name']) => void order.push(name)
  const done = Promise.withResolvers<void>()

  readFile(file, () => {
    setTimeout(() => log('setTimeout 0'), 0)
    setImmediate(() => {
      log('setImmediate')
      queueMicrotask(() => log('microtask of setImmediate'))
      setImmediate(() => {
        log('setImmediate of setImmediate')
        done.resolve()
      })
    })
    setImmediate(() => log('second setImmediate'))
    Promise.resolve().then(() => log('promise.then'))
    queueMicrotask(() => {
      log('queueMicrotask')
      process.nextTick(() => log('nextTick of a microtask'))
    })
    process.nextTick(() => {
      log('nextTick')
      process.nextTick(() => log('nextTick of a nextTick'))
    })
    void (async () => {
      log('async function, up to await')
      await undefined
      log('code after await')
    })()
    log('end of the callback')
    // Until the timer is due; else it would have to wait for a later turn.
    const start = performance.now()
    while (performance.now() - start < 3);
  })
  await done.promise
  return order
}
