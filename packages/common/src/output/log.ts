/**
 * Logs on standard error: JSON lines for programs, coloured lines for a reader at a terminal. LOG_LEVEL sets the lowest
 * level, NO_COLOR turns colours off, and secrets are masked.
 *
 * Lines are written synchronously and without a thread, so that the last ones before an exit or a crash are not lost.
 */
import pino from 'pino'
import pretty from 'pino-pretty'
import { messageOf } from './errors.ts'
import { maskJson } from './secrets.ts'

const levels = [...Object.keys(pino.levels.values), 'silent']

/**
 * Returns a logger for one part of a program: `logger('worker').info({ job: 7 }, 'done')`.
 *
 * @param destination takes JSON lines instead of standard error
 * @param now a wall clock in ms, instead of the machine's
 */
export function logger(name: string, destination?: pino.DestinationStream, now = Date.now): pino.Logger {
  const wanted = process.env.LOG_LEVEL || 'info'
  const known = levels.includes(wanted)
  const log = pino(
    {
      name,
      level: known ? wanted : 'info',
      hooks: {
        streamWrite: maskJson,
        // What is logged may have getters or a toJSON that throw.
        logMethod(args, method) {
          try {
            method.apply(this, args.map(textOfNone) as typeof args)
          } catch (error) {
            method.call(this, `cannot be logged: ${messageOf(error)}`)
          }
        },
      },
      timestamp: () => `,"time":${now()}`,
    },
    destination ?? standardError(),
  )
  if (!known) log.warn(`LOG_LEVEL: received "${wanted}"; accepts ${levels.join(', ')}; using info`)
  return log
}

/** JSON has no text for these, and pino would write a line that nobody can parse. */
const textOfNone = (value: unknown) => (['symbol', 'function'].includes(typeof value) ? String(value) : value)

function standardError(): pino.DestinationStream {
  if (!process.stderr.isTTY) {
    const destination = pino.destination({ dest: 2, sync: true })
    // A closed or full log does not end the program.
    destination.on('error', () => {})
    return destination
  }
  return pretty({
    destination: 2,
    sync: true,
    colorize: process.stderr.hasColors(),
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
  })
}
