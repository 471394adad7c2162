/** The options of the worker program; here they can be read without starting it. */
import { accepting, listOf, number, path, wholeNumber } from '@repo/common/example/options'
import { z } from 'zod'
import { mostQueues } from '../queue/options.ts'

const bounds = 'MIN,MAX with MIN not above MAX'
const name = accepting('up to 100 letters, digits and : @ . _ -', (text) =>
  /^[\w:@.-]{1,100}$/.test(text) ? text : undefined,
)
export const options = {
  tasks: path('the path of a module that exports tasks')
    .optional()
    .describe('runs the tasks of your own file instead of those of chapter 4'),
  queues: listOf(z.string().regex(/^[\w-]{1,100}$/), '1 to 100 names of queues, each once, separated by commas', {
    max: mostQueues,
    distinct: true,
  })
    .default(['default'])
    .describe('the queues it takes tasks from, at most 100'),
  concurrency: wholeNumber(1, 10_000).default(16).describe('how many tasks of each queue it runs at once'),
  autoscale: listOf(wholeNumber(1, 10_000), bounds, { min: 2, max: 2 })
    .refine(([min = 0, max = 0]) => min <= max, bounds)
    .optional()
    .describe('scales that between two bounds, by how many tasks wait'),
  name: name.optional().describe('for logs and remote control; by default its host and process id'),
  prefix: name.default('celery').describe('the prefix of all keys in Redis'),
  grace: number(0, 86_400).default(30).describe('seconds that running tasks may take after SIGTERM'),
  lock: number(0.5, 3_600).default(30).describe('seconds after which the tasks of a dead worker go to another one'),
}
