/** A process that does the task of each message. */
import { ready } from '@repo/common/process/ready'
import { add, type Task } from './add.ts'

process.on('message', (task: Task) => process.send?.(add(...task)))
process.once('disconnect', () => process.exit())
ready()
