/** The engines on PostgreSQL. */
import { drillEach } from './drill-each.ts'

await drillEach(['bullmq-pg', 'pg-boss', 'graphile'])
