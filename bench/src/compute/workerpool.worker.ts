/** The same tasks for the package workerpool, whose workers register their functions themselves. */
import workerpool from 'workerpool'
import work from './tasks.worker.ts'

workerpool.worker({ work })
