/**
 * A worker of wordcount. It takes jobs from the queue until SIGTERM, or until a notice says that its machine will be
 * taken away. The same program runs here and on an instance in the cloud.
 */
import { ready } from '@repo/common/process/ready'
import { s3Client, sqsClient } from '../cloud/clients.ts'
import { placesFromEnvironment } from '../cloud/place.ts'
import { spotNotice } from '../local/instance-metadata.ts'
import { consume } from '../queues.ts'
import { counter } from './map-reduce.ts'
import { workFromEnvironment } from './workers.ts'

const { queues, visibilitySeconds, worker, metadata } = workFromEnvironment()
const { storage, queues: place } = placesFromEnvironment()
const s3 = s3Client(storage)
const sqs = sqsClient(place)

// #region leave
const leave = new AbortController()
process.once('SIGTERM', () => leave.abort(new Error('SIGTERM')))
if (metadata) {
  spotNotice(metadata.url, leave.signal, metadata.everyMs).then(
    (notice) => notice && leave.abort(new Error(`${notice.action} at ${notice.time}`)),
    // Without notices it can still work.
    () => {},
  )
}
// #endregion leave
ready()
// Two jobs at once: while one is counted, the other is read or written.
const options = { leave: leave.signal, visibilitySeconds, concurrency: 2 }
await consume(sqs, queues.jobs, options, counter(s3, sqs, queues.results, worker))
s3.destroy()
sqs.destroy()
