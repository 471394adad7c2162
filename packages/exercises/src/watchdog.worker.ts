/** Asks the main thread for a sign of life; if there is none for a while, says which line of the reader's file it is in. */
import { writeSync } from 'node:fs'
import { Session } from 'node:inspector'
import { parentPort, workerData } from 'node:worker_threads'
import type { Report } from './report.ts'

/** Checks take far less. */
const patienceMs = 4_000

let subject = ''
let timer: NodeJS.Timeout | undefined
let isSecondLook = false

parentPort?.on('message', (url: string) => {
  subject = url
  isSecondLook = false
  clearTimeout(timer)
  timer = setTimeout(look, patienceMs)
})

/** Stops the main thread for a moment, as a debugger does. */
function look() {
  // A loop that fills the memory will end by the memory's limit, which says more; on a busy machine that takes longer.
  if (!isSecondLook && process.memoryUsage.rss() > 300e6) {
    isSecondLook = true
    timer = setTimeout(look, patienceMs)
    return
  }
  const session = new Session()
  session.connectToMainThread()
  const scripts = new Map<string, string>()
  session.on('Debugger.scriptParsed', ({ params }) => void scripts.set(params.scriptId, params.url))
  session.on('Debugger.paused', ({ params }) => {
    const frame = params.callFrames.find(({ location }) => scripts.get(location.scriptId) === subject)
    if (frame) {
      const report: Report = {
        ends: subject,
        ms: patienceMs,
        fault: { says: 'It does not end: an endless loop.', line: frame.location.lineNumber + 1 },
      }
      writeSync(3, `\n${workerData}${JSON.stringify(report)}\n`)
    }
    session.post('Debugger.resume')
  })
  session.post('Debugger.enable')
  session.post('Debugger.pause')
}
