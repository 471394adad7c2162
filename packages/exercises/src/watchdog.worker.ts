/** If a check computes for too long, says which line of the reader's file the main thread is in. */
import { writeSync } from 'node:fs'
import { Session } from 'node:inspector'
import { parentPort, workerData } from 'node:worker_threads'
import type { Report } from './report.ts'

/** Checks compute for far less. Time on the clock would say nothing: on a busy machine they take several times as long. */
const patienceMs = 3_000
/** What waits computes for less than this between two looks. */
const busyMs = 50

let subject = ''
let timer: NodeJS.Timeout | undefined
let begunWith = process.cpuUsage()
let usedMs = 0
let isSecondLook = false

parentPort?.on('message', (url: string) => {
  subject = url
  isSecondLook = false
  clearTimeout(timer)
  wait()
})

/** Looks when the check has computed for as long as it may from now on. */
function wait() {
  begunWith = process.cpuUsage()
  usedMs = 0
  timer = setTimeout(look, patienceMs)
}

/** Stops the main thread for a moment, as a debugger does. */
function look() {
  const { user, system } = process.cpuUsage(begunWith)
  const beforeMs = usedMs
  usedMs = (user + system) / 1_000
  if (usedMs < patienceMs) {
    if (usedMs - beforeMs > busyMs) say({ computes: subject })
    timer = setTimeout(look, Math.max(patienceMs - usedMs, 100))
    return
  }
  // A loop that fills the memory will end by the memory's limit, which says more; on a busy machine that takes longer.
  if (!isSecondLook && process.memoryUsage.rss() > 300e6) {
    isSecondLook = true
    wait()
    return
  }
  const session = new Session()
  session.connectToMainThread()
  const scripts = new Map<string, string>()
  session.on('Debugger.scriptParsed', ({ params }) => void scripts.set(params.scriptId, params.url))
  session.on('Debugger.paused', ({ params }) => {
    const frame = params.callFrames.find(({ location }) => scripts.get(location.scriptId) === subject)
    if (frame) {
      const line = frame.location.lineNumber + 1
      say({ ends: subject, ms: patienceMs, fault: { says: 'It does not end: an endless loop.', line } })
    }
    session.post('Debugger.resume')
  })
  session.post('Debugger.enable')
  session.post('Debugger.pause')
}

function say(report: Report) {
  writeSync(3, `\n${workerData}${JSON.stringify(report)}\n`)
}
