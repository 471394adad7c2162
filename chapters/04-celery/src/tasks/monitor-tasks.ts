/** Something to see in the monitor. */

import { z } from 'zod'
import { defineTask } from '../queue/task.ts'

/** Fails the first time; whoever has it run again sees it succeed. */
export const stumble = defineTask({
  name: 'stumble',
  args: z.object({ over: z.string() }),
  run: ({ over }, { attempt }) => {
    if (attempt === 1) throw new Error(`stumbled over ${over}`)
    return `not over ${over} again`
  },
})
