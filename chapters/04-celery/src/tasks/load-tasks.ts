/** Tasks from a file that the worker program does not know: a reader's own, named by `--tasks`. */
import { statSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { UsageError } from '@repo/common/example/usage'
import { messageOf } from '@repo/common/output/errors'
import { z } from 'zod'
import type { Routes } from '../queue/routing.ts'
import type { QueueSettings } from '../queue/settings.ts'
import type { Task } from '../queue/task.ts'

/** What a file of tasks exports: tasks, by any name, alone or in lists, and perhaps `routes` and `queueSettings`. */
export interface TasksFile {
  tasks: Task[]
  routes?: Routes
  queueSettings?: Record<string, QueueSettings>
}

/** Tells what `defineTask` returns from everything else that a module may export; `startWorker` checks its options. */
const taskSchema = z.object({
  name: z.string(),
  version: z.number(),
  // Not `instanceof`: another project has another copy of zod.
  args: z.custom<z.ZodType>((args) => typeof (args as Partial<z.ZodType> | undefined)?.safeParse === 'function'),
})
const isTask = (value: unknown): value is Task => taskSchema.safeParse(value).success

/**
 * Loads the tasks that a module exports.
 *
 * @param file absolute path
 * @throws a UsageError when there is no such file or it exports no task
 * @throws an Error of one line when the module cannot be loaded
 */
export async function loadTasks(file: string): Promise<TasksFile> {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) {
    throw new UsageError('--tasks', file, 'the path of an existing file')
  }
  let module: Record<string, unknown>
  try {
    module = await import(pathToFileURL(file).href)
  } catch (error) {
    throw new Error(`--tasks: ${file} cannot be loaded: ${messageOf(error)}`)
  }
  const { routes, queueSettings, ...exported } = module
  const tasks = new Set(Object.values(exported).flat().filter(isTask))
  if (tasks.size === 0) {
    const names = Object.keys(module).join(', ') || 'nothing'
    throw new UsageError('--tasks', file, `a module that exports tasks made by defineTask; this one exports ${names}`)
  }
  // startWorker checks both.
  return { tasks: [...tasks], ...({ routes, queueSettings } as Omit<TasksFile, 'tasks'>) }
}
