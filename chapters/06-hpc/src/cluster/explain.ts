/** Why a task failed, in words for the one who must do something about it. */
import { constants } from 'node:os'
import type { TaskRecord } from './run.ts'

/** Where the scheduler does not say. */
const whoSends: Record<string, string> = {
  SIGKILL: ': by somebody, or by the kernel of a node that had no memory left',
  SIGTERM: ': by somebody, or at the end of its walltime',
}

/** @param log the last lines of what it printed */
export function explain({ state, exitCode, signal, reason }: TaskRecord, log: string): string {
  // A job's script reports a command that a signal ended by 128 and the signal's number.
  const number = Number(signal ?? (exitCode !== undefined && exitCode > 128 ? exitCode - 128 : 0))
  if (state === 'timed out') return 'it was still running at the end of its walltime'
  if (state === 'out of memory') return 'it used more memory than it had asked for'
  if (state === 'node failed') return 'its node failed'
  if (state === 'cancelled') return 'somebody cancelled it'
  if (number > 0) {
    const [name = `signal ${number}`] = Object.entries(constants.signals).find(([, value]) => value === number) ?? []
    return `it was ended by ${name}${whoSends[name] ?? ''}`
  }
  if (exitCode === 127) return 'its program is not on the node'
  if (exitCode === undefined) return reason ?? 'nobody knows'
  const lines = log.split('\n').map((line) => line.trim())
  const thrown = lines.find((line) => /^(Uncaught )?\w*(Error|Exception)\b.*:/.test(line))
  return thrown ? `it threw ${thrown}` : `it exited with ${exitCode}: ${lines.findLast(Boolean) ?? 'without a word'}`
}
