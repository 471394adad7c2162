/** Finds out what blocks an event loop while it is blocked: from outside, through the inspector. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Inspector, isOwn, type Place } from './inspector.ts'

export interface Stall {
  /** How long it computed in one go, in ms of CPU time, from the moment when it was first paused. */
  busyMs: number
  /** The stack in the middle of that time, innermost first. */
  stack: { name: string; place: Place | undefined }[]
}

const askEveryMs = 20
/** How much longer to watch when a stall must be found. */
const patienceMs = 60_000
/** The CPU time of the process so far. */
const usedUs = 'process.cpuUsage().user + process.cpuUsage().system'
/** The same at the end of the event loop's current work, because a promise's continuation waits for that. */
const usedAtEndUs = `Promise.resolve().then(() => ${usedUs})`

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
 * pause needs no turn: it stops the process in the middle of its work, for as long as it takes to read the stack.
 *
 * While the process does not answer, it is paused again and again. It has stalled when it computes for longer than
 * `longerThanMs` of CPU time in one go: on a busy machine everything takes long, but uses little CPU time.
 */
export async function watchStalls(
  inspector: Inspector,
  { ms, longerThanMs, mustFind = false, signal }: WatchOptions,
): Promise<Stall[]> {
  const stalls: Stall[] = []
  const resumed: Promise<unknown>[] = []
  let isWaiting = false
  let stops: { us: number; stack: Stall['stack'] }[] = []
  await inspector.send('Debugger.enable')
  async function look(callFrames: Paused['callFrames']) {
    const [innermost] = callFrames
    const stack = callFrames.map(({ functionName, location: { scriptId, lineNumber, columnNumber = 0 } }) => ({
      name: functionName || '(anonymous)',
      place: inspector.sourceOf(scriptId, lineNumber, columnNumber),
    }))
    type Answer = { result: { value: number } }
    const question = { callFrameId: innermost?.callFrameId, expression: usedUs, returnByValue: true }
    const { result } = await inspector.send<Answer>('Debugger.evaluateOnCallFrame', question)
    stops.push({ us: result.value, stack })
  }
  using _listener = inspector.on('Debugger.paused', ({ callFrames }: Paused) => {
    // A pause that takes effect after the computation shows what came next.
    const looked = isWaiting ? look(callFrames) : Promise.resolve()
    resumed.push(looked.then(() => inspector.send('Debugger.resume')).catch(() => {}))
  })
  const end = performance.now() + ms
  const isFound = () => stalls.some(({ stack }) => stack.some(({ place }) => isOwn(place)))
  while (performance.now() < (mustFind && !isFound() ? end + patienceMs : end)) {
    await inspector.wait(askEveryMs, signal)
    stops = []
    isWaiting = true
    const answer = inspector.evaluate<number>(usedAtEndUs).finally(() => {
      isWaiting = false
    })
    const isLate = () => Promise.race([answer.then(() => false), delay(longerThanMs / 4, true)])
    while (await isLate()) await inspector.send('Debugger.pause')
    const endUs = await answer
    const [{ us: beginUs } = { us: endUs }] = stops
    const middle = stops.findLast(({ us }) => us <= (beginUs + endUs) / 2)
    const busyMs = (endUs - beginUs) / 1000
    if (middle && busyMs >= longerThanMs) stalls.push({ busyMs, stack: middle.stack })
  }
  await Promise.all(resumed)
  // A pause still pending would stop whatever runs next.
  await inspector.send('Debugger.disable')
  return stalls
}

/**
 * Finds which of the program's own code computed longest in one go.
 *
 * @returns the number of stalls that it caused, and the frames of the program's own code in the longest stall,
 *   innermost first; no frames when no stall had any
 */
export function worstOf(stalls: readonly Stall[]): { times: number; frames: Stall['stack'] } {
  const own = stalls
    .map(({ busyMs, stack }) => ({ busyMs, frames: stack.filter(({ place }) => isOwn(place)) }))
    .sort((a, b) => b.busyMs - a.busyMs)
  const frames = own.find(({ frames }) => frames.length > 0)?.frames ?? []
  const times = own.filter((stall) => frames.length > 0 && stall.frames[0]?.name === frames[0]?.name).length
  return { times, frames }
}
