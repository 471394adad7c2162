/**
 * A log file for each process of the pipeline. Each line is a JSON object with the order and the correlation id, which
 * all processes share. Both ends of a message are logged with the message's name. So a reader of logs from several
 * machines knows what came before what, whatever the clocks say.
 */
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { logger } from '@repo/common/output/log'
import type { Identity, Instruments } from '../pipeline/instruments.ts'

const writeEveryMs = 100
/** Of a request. A stranger chooses the path, and may choose one that fills the disk; headers are shortened too. */
const longestPath = 1_000

/** The path of a process's log. */
export const logFile = (folder: string, process: string) => join(folder, `${process.replaceAll(' ', '-')}.log`)

export function watchLogs({ name, now }: Identity, folder: string): Instruments {
  // Written in batches, so that the process does not wait for the disk. A process that is killed loses its last tenth
  // of a second. Not through pino's own destination: for each line, sonic-boom 4.2 measures everything in its buffer
  // again.
  // #region buffer
  const file = createWriteStream(logFile(folder, name), { flags: 'a' })
  const lines: string[] = []
  const write = () => {
    if (lines.length > 0) file.write(lines.splice(0).join(''))
  }
  const writing = setInterval(write, writeEveryMs).unref()
  const log = logger(name, { write: (line) => void lines.push(line) }, now)
  // #endregion buffer
  return {
    log,
    ...(log.isLevelEnabled('debug') && {
      around: (step, run) => {
        if (step.kind === 'effect') log.debug({ order: step.order, correlation: step.correlation }, step.name)
        return run()
      },
    }),
    routes: (app) => {
      // Checked once, not per request: lines that are not logged would cost time too.
      if (!log.isLevelEnabled('debug')) return
      app.use('*', async (context, next) => {
        // Logging all headers is useful but dangerous: the logger masks what is named like a secret.
        const { method, path } = context.req
        log.debug({ method, path: path.slice(0, longestPath), headers: context.req.header() }, 'request')
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
