/** The tasks of this chapter's workers, as `pnpm --filter 04-celery worker` serves them. */
import { z } from 'zod'
import { mergesortTasks } from '../mergesort/tasks.ts'
import type { Routes } from '../queue/routing.ts'
import type { QueueSettings } from '../queue/settings.ts'
import { defineTask } from '../queue/task.ts'
import { stretch } from '../throughput/stretch.ts'
import { canvasTasks } from './canvas.ts'
import { tourTasks } from './tour.ts'

// #region echo
/** Returns what it is given. */
export const echo = defineTask({
  name: 'echo',
  args: z.object({ text: z.string() }),
  run: ({ text }) => text,
})
// #endregion echo

/** Does nothing, so its time is the cost of the queue. */
export const empty = defineTask({ name: 'empty', args: z.object({}), run: () => null })

export const add = defineTask({
  name: 'add',
  args: z.object({ a: z.number(), b: z.number() }),
  run: ({ a, b }) => a + b,
})

/** The tasks that the workers serve. */
export const tasks = [echo, empty, add, ...tourTasks, stretch, ...mergesortTasks, ...canvasTasks]

// #region routes
/** Where they go when the call names no queue. */
export const routes: Routes = { 'mail.*': 'mail', 'image.*': 'images' }

/** Queues with settings of their own. */
export const queueSettings: Record<string, QueueSettings> = { urgent: { priorities: true } }
// #endregion routes
