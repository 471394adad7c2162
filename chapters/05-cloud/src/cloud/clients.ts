/**
 * AWS SDK clients for a place. The SDK itself finds the credentials for Amazon, or for the reader's own endpoint, in
 * the places where all of Amazon's tools look. Nothing here reads them.
 */
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import { explainErrors } from './errors.ts'
import type { Place, Places } from './place.ts'

/** An open cloud: its places, and the two clients that every program of the chapter uses. */
export interface Cloud {
  places: Places
  s3: S3Client
  sqs: SQSClient
}

/** Keeps connections open, and allows enough of them: a request that waits for one pays its latency twice. */
const agent = { keepAlive: true, maxSockets: 256 }

/** The configuration of every client: `new EC2Client(clientConfig(place))`. */
export function clientConfig({ url, region, credentials }: Place) {
  return {
    ...(url && { endpoint: url }),
    ...(region && { region }),
    ...(credentials && { credentials }),
    // The SDK retries broken connections, throttling and server errors, after random waits that grow.
    retryMode: 'standard',
    maxAttempts: 5,
    requestHandler: {
      connectionTimeout: 5_000,
      // A long poll of a queue is silent for 20 s.
      requestTimeout: 60_000,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
  }
}

/** A client for buckets. Its errors are one clear line. */
export function s3Client(place: Place, more: ConstructorParameters<typeof S3Client>[0] = {}): S3Client {
  const client = new S3Client({
    ...clientConfig(place),
    // bucket.host needs a name that resolves; host/bucket works everywhere but in Amazon's newest regions.
    forcePathStyle: place.url !== undefined,
    // A bucket may be in another region than the client.
    followRegionRedirects: place.url === undefined,
    ...more,
  })
  return explainErrors(client, place)
}

/** A client for queues. Its errors are one clear line. */
export function sqsClient(place: Place, more: ConstructorParameters<typeof SQSClient>[0] = {}): SQSClient {
  // A queue's URL holds the address that the server knows, which is not the one that a proxy or a container publishes.
  const client = new SQSClient({ ...clientConfig(place), useQueueUrlAsEndpoint: place.url === undefined, ...more })
  return explainErrors(client, place)
}
