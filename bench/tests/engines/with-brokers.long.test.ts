/** The engines with brokers of their own. */
import { drillEach } from './drill-each.ts'

await drillEach(['rabbitmq', 'nats', 'temporal', 'sqs'])
