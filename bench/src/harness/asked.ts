/** A program, such as one in Python, that answers each line of JSON with a line of JSON. */
import { spawn } from 'node:child_process'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'
import { within } from '@repo/common/async/until'
import { guard } from '@repo/common/process/guard'

export interface Asked extends AsyncDisposable {
  /** @throws an Error of one line: the program's own, or that it has ended, or has printed something else */
  ask: <Answer>(question: object) => Promise<Answer>
}

/** How long it may take to end by itself when its input has ended. */
const graceMs = 3_000

/** Starts it with these arguments, in a process group of its own. Disposing of it ends all of the group. */
export function startAsked(
  command: string,
  args: string[],
  { cwd, env }: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Asked {
  const name = [basename(command), ...args.map((each) => basename(each))].join(' ')
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: 'pipe', detached: true })
  const release = guard(child.pid ?? 0)
  const waiting: PromiseWithResolvers<unknown>[] = []
  let complaint = ''
  let isOver = false
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  void ended.then(() => {
    isOver = true
    for (const each of waiting.splice(0)) each.reject(hasEnded())
  })
  const hasEnded = () => new Error(`${name} has ended${complaint && `: ${complaint}`}`)
  child.on('error', (error) => {
    complaint = error.message
  })
  child.stdin.on('error', () => {})
  // The last line of an error says what it is.
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.trim() !== '') complaint = line.trim()
  })
  // One answer for each question, in order.
  createInterface({ input: child.stdout }).on('line', (line) => {
    const asked = waiting.shift()
    try {
      const answer = JSON.parse(line) as { error?: string }
      if (answer.error === undefined) asked?.resolve(answer)
      else asked?.reject(new Error(answer.error))
    } catch {
      asked?.reject(new Error(`${name}: received ${JSON.stringify(line.slice(0, 80))}; accepts a line of JSON`))
    }
  })
  return {
    async ask<Answer>(question: object) {
      if (isOver) throw hasEnded()
      const answer = Promise.withResolvers<unknown>()
      waiting.push(answer)
      child.stdin.write(`${JSON.stringify(question)}\n`)
      return (await answer.promise) as Answer
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      // It may be in the middle of an answer, which nobody waits for any more.
      if (waiting.length > 0) child.kill('SIGINT')
      await within(graceMs, () => ended)
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // Nothing is left of the group.
      }
      await ended
      await release()
    },
  }
}
