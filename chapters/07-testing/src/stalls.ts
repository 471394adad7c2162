/** Finds what blocks an event loop while it is blocked: from outside, through the inspector. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Inspector, isOwn, type Place } from './inspector.ts'

export interface Stall {
  /** For how long the process computed in one go, in ms of processor time. */
  busyMs: number
  /** What was running when the event loop had been late for `longerThanMs`, innermost first. */
  stack: { name: string; place: Place | undefined }[]
}

const askEveryMs = 20
/** The processor time of the process so far. */
const usedUs = 'process.cpuUsage().user + process.cpuUsage().system'

interface Paused {
  callFrames: { functionName: string; location: { scriptId: string; lineNumber: number; columnNumber?: number } }[]
}

/**
 * Watches an event loop for some time. A question to the process is answered when its event loop has a turn; the command to
 * pause needs none and stops it in the middle of what it does, for as long as it takes to read the stack.
 */
export async function watchStalls(
  inspector: Inspector,
  { ms, longerThanMs, signal }: { ms: number; longerThanMs: number; signal?: AbortSignal },
): Promise<Stall[]> {
  const stalls: Stall[] = []
  const resumed: Promise<unknown>[] = []
  let lastUs = await inspector.evaluate<number>(usedUs)
  let isWaiting = false
  let stack: Stall['stack'] | undefined
  await inspector.send('Debugger.enable')
  inspector.on('Debugger.paused', ({ callFrames }: Paused) => {
    const frames = callFrames.map(({ functionName, location: { scriptId, lineNumber, columnNumber = 0 } }) => ({
      ...{ name: functionName || '(anonymous)', place: inspector.sourceOf(scriptId, lineNumber, columnNumber) },
    }))
    // A pause that comes when the computation has ended shows what came after it.
    if (isWaiting) stack = frames
    resumed.push(inspector.send('Debugger.resume').catch(() => {}))
  })
  const end = performance.now() + ms
  while (performance.now() < end) {
    await delay(askEveryMs, undefined, { signal })
    stack = undefined
    isWaiting = true
    const answer = inspector.evaluate<number>(usedUs).finally(() => {
      isWaiting = false
    })
    const late = await Promise.race([answer.then(() => false), delay(longerThanMs, true)])
    if (late) await inspector.send('Debugger.pause')
    const us = await answer
    if (stack) stalls.push({ busyMs: (us - lastUs) / 1000, stack })
    lastUs = us
  }
  await Promise.all(resumed)
  // A pause that was asked for and has not come would stop what runs next.
  await inspector.send('Debugger.disable')
  return stalls
}

/**
 * What of the process's own code computes longest in one go. On a machine that has no time for the process, whatever it does
 * looks like a stall; but little is computed meanwhile.
 *
 * @returns in how many stalls it was running, and the frames of its own code in the longest one, innermost first: none when no
 * stall had any
 */
export function worstOf(stalls: readonly Stall[]): { times: number; frames: Stall['stack'] } {
  const own = stalls
    .map(({ busyMs, stack }) => ({ busyMs, frames: stack.filter(({ place }) => isOwn(place)) }))
    .sort((a, b) => b.busyMs - a.busyMs)
  const frames = own.find(({ frames }) => frames.length > 0)?.frames ?? []
  return { times: own.filter((stall) => stall.frames[0]?.name === frames[0]?.name).length, frames }
}
