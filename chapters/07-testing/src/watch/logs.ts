/**
 * A log file for each process of the pipeline: a JSON object on each line, with the order and the correlation id that all
 * processes share. Both ends of each message are logged with the message's name, so that whoever reads the logs of several
 * machines knows what came before what, whatever their clocks say.
 */
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { logger } from '@repo/common/output/log'
import type { Identity, Instruments } from '../pipeline/instruments.ts'

const writeEveryMs = 100

/** The file's name of a process's log. */
export const logFile = (folder: string, process: string) => join(folder, `${process.replaceAll(' ', '-')}.log`)

export function watchLogs({ name, now }: Identity, folder: string): Instruments {
  // In pieces, so that a process waits for no disk: what it logged in its last tenth of a second is lost when it is killed.
  // Not pino's own destination: sonic-boom 4.2 measures all that is waiting again for each line.
  const file = createWriteStream(logFile(folder, name), { flags: 'a' })
  const lines: string[] = []
  const write = () => {
    if (lines.length > 0) file.write(lines.splice(0).join(''))
  }
  const writing = setInterval(write, writeEveryMs).unref()
  const log = logger(name, { write: (line) => void lines.push(line) }, now)
  return {
    log,
    ...(log.isLevelEnabled('debug') && {
      around: (step, run) => {
        if (step.kind === 'effect') log.debug({ order: step.order, correlation: step.correlation }, step.name)
        return run()
      },
    }),
    routes: (app) => {
      // Asked once and not for each request: also what is not logged would cost.
      if (!log.isLevelEnabled('debug')) return
      app.use('*', async (context, next) => {
        // With all headers, as is useful and dangerous: the logger masks what is named like a secret.
        log.debug({ method: context.req.method, path: context.req.path, headers: context.req.header() }, 'request')
        await next()
      })
    },
    close: async () => {
      clearInterval(writing)
      write()
      file.end()
      await finished(file)
    },
  }
}
