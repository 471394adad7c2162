/**
 * A worker of wordcount: takes jobs from the queue until it is told to leave, by SIGTERM or by the notice that its machine
 * will be taken away. The same program runs here and on an instance in the cloud.
 */
import { ready } from '@repo/common/process/ready'
import { placesFromEnvironment, s3Client, sqsClient } from '../cloud/cloud.ts'
import { spotNotice } from '../local/instance-metadata.ts'
import { consume } from '../queues.ts'
import { counter } from './map-reduce.ts'
import { workFromEnvironment } from './workers.ts'

const { queues, visibilitySeconds, worker, metadata } = workFromEnvironment()
const { storage, queues: place } = placesFromEnvironment()
const s3 = s3Client(storage)
const sqs = sqsClient(place)

const leave = new AbortController()
process.once('SIGTERM', () => leave.abort(new Error('SIGTERM')))
if (metadata) {
  spotNotice(metadata.url, leave.signal, metadata.everyMs).then(
    (notice) => notice && leave.abort(new Error(`${notice.action} at ${notice.time}`)),
    // Without the notices there is still the work.
    () => {},
  )
}
ready()
// Two jobs at once: one is fetched and written while the other is counted.
const options = { leave: leave.signal, visibilitySeconds, concurrency: 2 }
await consume(sqs, queues.jobs, options, counter(s3, sqs, queues.results, worker))
s3.destroy()
sqs.destroy()
