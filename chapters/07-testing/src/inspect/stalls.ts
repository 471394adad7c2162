/** Finds out what blocks an event loop while it is blocked: from outside, through the inspector. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Inspector } from './inspector.ts'
import { isOwn, type Place } from './session.ts'
import { type Times, threadTimes } from './thread-times.ts'

export interface Stall {
  /** For how long it was blocked in one go, in ms: it computed, or waited for a call that returns only at its end. */
  blockedMs: number
  /** The stack in the middle of that time, innermost first. */
  stack: { name: string; place: Place | undefined }[]
}

const askEveryMs = 20
/** How much longer to watch when a stall must be found. */
const patienceMs = 60_000
/** The CPU time of the process so far, in ms. */
const usedMs = '(process.cpuUsage().user + process.cpuUsage().system) / 1000'
/** The same at the end of the event loop's current work, because a promise's continuation waits for that. */
const usedAtEndMs = `Promise.resolve().then(() => ${usedMs})`

/** What was known at one moment. */
interface Moment {
  atMs: number
  cpuMs: number
  /** Of the process's main thread; undefined where the system does not tell. */
  times: Times | undefined
}

/** A part of a stall: from its begin, or from a pause, to the next pause or the end. */
interface Part {
  blockedMs: number
  /** How much of it the thread neither computed nor waited for a core. */
  sleptMs: number
  /** Where the pause at its end has stopped it; undefined for the last part. */
  stack: Stall['stack'] | undefined
}

interface Paused {
  callFrames: {
    callFrameId: string
    functionName: string
    location: { scriptId: string; lineNumber: number; columnNumber?: number }
  }[]
}

export interface WatchOptions {
  /** How long to watch. */
  ms: number
  longerThanMs: number
  /**
   * Keeps watching for up to a minute more, until there has been a stall in the program's own code: a busy machine
   * takes longer.
   */
  mustFind?: boolean
  signal?: AbortSignal
}

/**
 * Watches an event loop for some time. The process answers a request when its event loop gets a turn. The command to
 * pause needs no turn: it stops the process in the middle of its work, for as long as it takes to read the stack. A call
 * such as `execSync` cannot be paused; then the process stops when the call returns, and the stack says which it was.
 *
 * While the process does not answer, it is paused again and again. It has stalled when it was blocked for longer than
 * `longerThanMs` in one go. Waiting for a core does not count: on a busy machine everything takes long. Where the system
 * does not say how long a thread has waited for one (elsewhere than on Linux), only CPU time counts.
 */
export async function watchStalls(
  inspector: Inspector,
  { ms, longerThanMs, mustFind = false, signal }: WatchOptions,
): Promise<Stall[]> {
  const stalls: Stall[] = []
  const resumed: Promise<unknown>[] = []
  const pid = await inspector.evaluate<number>('process.pid')
  let isWaiting = false
  let wasPaused = false
  let parts: Part[] = []
  let begin: Moment = { atMs: 0, cpuMs: 0, times: undefined }
  await inspector.send('Debugger.enable')
  async function look(callFrames: Paused['callFrames']) {
    const [atMs, times] = [performance.now(), threadTimes(pid)]
    const cpuMs = times ? 0 : await cpuTimeAt(callFrames)
    const stack = callFrames.map(({ functionName, location: { scriptId, lineNumber, columnNumber = 0 } }) => ({
      name: functionName || '(anonymous)',
      place: inspector.sourceOf(scriptId, lineNumber, columnNumber),
    }))
    parts.push(partOf(begin, { atMs, cpuMs, times }, stack))
    // It goes on a moment later.
    begin = { atMs: performance.now(), cpuMs, times: threadTimes(pid) }
  }
  async function cpuTimeAt([innermost]: Paused['callFrames']): Promise<number> {
    type Answer = { result: { value?: number } }
    const question = { callFrameId: innermost?.callFrameId, expression: usedMs, returnByValue: true }
    const { result } = await inspector.send<Answer>('Debugger.evaluateOnCallFrame', question)
    // A frame may have no `process`.
    return result.value ?? begin.cpuMs
  }
  using _listener = inspector.on('Debugger.paused', ({ callFrames }: Paused) => {
    wasPaused = true
    // A pause that takes effect after the work shows what came next.
    const looked = isWaiting ? look(callFrames) : Promise.resolve()
    const resume = () => inspector.send('Debugger.resume')
    resumed.push(looked.then(resume, resume).catch(() => {}))
  })
  /**
   * The process answers, and says a moment later where it has paused. Nagle's algorithm holds the second message back
   * until the first is acknowledged, which takes 40 ms unless there is something to send: a command that changes nothing.
   */
  async function pause() {
    wasPaused = false
    await inspector.send('Debugger.pause')
    for (let times = 0; times < 20 && isWaiting && !wasPaused; times++) {
      await inspector.send('Runtime.getIsolateId')
      await delay(1)
    }
  }
  const end = performance.now() + ms
  const isFound = () => stalls.some(({ stack }) => stack.some(({ place }) => isOwn(place)))
  let cpuMs = await inspector.evaluate<number>(usedAtEndMs)
  while (performance.now() < (mustFind && !isFound() ? end + patienceMs : end)) {
    await inspector.wait(askEveryMs, signal)
    parts = []
    isWaiting = true
    begin = { atMs: performance.now(), cpuMs, times: threadTimes(pid) }
    // #region stall
    const answer = inspector.evaluate<number>(usedAtEndMs).finally(() => {
      isWaiting = false
    })
    const isLate = () => Promise.race([answer.then(() => false), delay(longerThanMs / 4, true)])
    while (await isLate()) await pause()
    // #endregion stall
    cpuMs = await answer
    parts.push(partOf(begin, { atMs: performance.now(), cpuMs, times: threadTimes(pid) }, undefined))
    const stall = stallOf(parts)
    if (stall && stall.blockedMs >= longerThanMs) stalls.push(stall)
  }
  await Promise.all(resumed)
  // A pause still pending would stop whatever runs next.
  await inspector.send('Debugger.disable')
  return stalls
}

function partOf(begin: Moment, end: Moment, stack: Part['stack']): Part {
  if (!begin.times || !end.times) return { blockedMs: end.cpuMs - begin.cpuMs, sleptMs: 0, stack }
  const ranMs = end.times.ranMs - begin.times.ranMs
  const waitedMs = Math.max(0, end.times.waitedMs - begin.times.waitedMs)
  const blockedMs = Math.max(ranMs, end.atMs - begin.atMs - waitedMs)
  return { blockedMs, sleptMs: blockedMs - ranMs, stack }
}

/**
 * Returns the whole time, and the stack that explains it; undefined when no stack does. A stall may have begun with other
 * work, and on a busy machine pauses are rare: without one near the middle it is not known what took the time. A call
 * that cannot be paused is known by the pause at its end.
 */
function stallOf(parts: readonly Part[]): Stall | undefined {
  const blockedMs = parts.reduce((sum, part) => sum + part.blockedMs, 0)
  let reachedMs = 0
  let nearest: { distance: number; stack: Stall['stack'] } | undefined
  for (const { blockedMs: partMs, sleptMs, stack } of parts) {
    const isInTheMiddle = reachedMs <= blockedMs / 2 && reachedMs + partMs >= blockedMs / 2
    reachedMs += partMs
    if (!stack) continue
    if (isInTheMiddle && sleptMs > partMs / 2) return { blockedMs, stack }
    const distance = Math.abs(reachedMs / blockedMs - 0.5)
    if (distance <= 0.25 && distance < (nearest?.distance ?? 1)) nearest = { distance, stack }
  }
  return nearest && { blockedMs, stack: nearest.stack }
}

/**
 * Finds which of the program's own code blocked the loop longest in one go.
 *
 * @returns the number of stalls that it caused, and the frames of the program's own code in the longest stall,
 *   innermost first; no frames when no stall had any
 */
export function worstOf(stalls: readonly Stall[]): { times: number; frames: Stall['stack'] } {
  const own = stalls
    .map(({ blockedMs, stack }) => ({ blockedMs, frames: stack.filter(({ place }) => isOwn(place)) }))
    .sort((a, b) => b.blockedMs - a.blockedMs)
  const frames = own.find(({ frames }) => frames.length > 0)?.frames ?? []
  const times = own.filter((stall) => frames.length > 0 && stall.frames[0]?.name === frames[0]?.name).length
  return { times, frames }
}
