/** A task that can be of any length. */
import { pbkdf2Sync } from 'node:crypto'
import { z } from 'zod'
import { defineTask } from '../queue/task.ts'

/** Stretches a password into a key. It is made so that there is no shorter way to the same key. Returns it in hex. */
export function stretchPassword(password: string, iterations: number): string {
  return pbkdf2Sync(password, 'salt', iterations, 32, 'sha256').toString('hex')
}

export const stretch = defineTask({
  name: 'throughput.stretch',
  args: z.object({ password: z.string().max(200), iterations: z.int().min(1).max(10_000_000) }),
  run: ({ password, iterations }) => stretchPassword(password, iterations),
})
