/**
 * Logs on standard error: JSON lines for programs, coloured lines for a reader at a terminal. LOG_LEVEL sets the lowest
 * level, NO_COLOR turns colours off, and secrets are masked.
 *
 * Lines are written synchronously and without a thread, so that the last ones before an exit or a crash are not lost.
 */
import pino from 'pino'
import pretty from 'pino-pretty'
import { maskPasswords } from './secrets.ts'

const levels = [...Object.keys(pino.levels.values), 'silent']
const secretKeys =
  /^(password|passwd|passphrase|secret|client_?secret|(access_?|refresh_?|session_?|auth_?|id_?)?token|api_?key|private_?key|secret_?access_?key|(proxy-)?authorization|(set-)?cookie)$/i
const mayHoldSecret = new RegExp(String.raw`://[^\s"]*@|"${secretKeys.source.slice(1, -1)}":`, 'i')

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
      hooks: { streamWrite: withoutSecrets },
      timestamp: () => `,"time":${now()}`,
    },
    destination ?? standardError(),
  )
  if (!known) log.warn(`LOG_LEVEL: received "${wanted}"; accepts ${levels.join(', ')}; using info`)
  return log
}

function standardError(): pino.DestinationStream {
  if (!process.stderr.isTTY) return pino.destination({ dest: 2, sync: true })
  return pretty({
    destination: 2,
    sync: true,
    colorize: process.stderr.hasColors(),
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
  })
}

/** Masks, in a line of JSON, the values of keys that name secrets, at any depth, and the passwords in URLs. */
function withoutSecrets(line: string): string {
  if (!mayHoldSecret.test(line)) return line
  const clean = JSON.parse(line, (key, value: unknown) => {
    if (secretKeys.test(key)) return '***'
    return typeof value === 'string' ? maskPasswords(value) : value
  })
  return `${JSON.stringify(clean)}\n`
}
