/** The engines on one Redis. */
import { drillEach } from './drill-each.ts'

await drillEach(['layer', 'bullmq', 'bee', 'celery', 'rq'])
