/** What the two tiers may do at Amazon: exactly what they need, on their own bucket and queue. */
import { type Permission, takeMessages } from '../machines/roles.ts'
import { countsOf, partsOf } from './text-parts.ts'

export interface Resources {
  /** Amazon resource names. */
  bucket: string
  queue: string
}

const textParts = ({ bucket }: Resources) => `${bucket}/${partsOf('*')}*`
const counts = ({ bucket }: Resources) => `${bucket}/${countsOf('*')}*`

/** The web tier takes texts, sends jobs, and reads what has been counted. */
export function webPermissions(resources: Resources): Permission[] {
  return [
    { actions: ['sqs:SendMessage'], resources: [resources.queue] },
    { actions: ['s3:PutObject'], resources: [textParts(resources)] },
    { actions: ['s3:GetObject'], resources: [counts(resources)] },
    {
      actions: ['s3:ListBucket'],
      resources: [resources.bucket],
      conditions: { StringLike: { 's3:prefix': [partsOf('*'), countsOf('*')] } },
    },
  ]
}

/** The worker tier takes jobs, reads parts of texts and writes their counts. */
export function workerPermissions(resources: Resources): Permission[] {
  return [
    takeMessages(resources.queue),
    { actions: ['s3:GetObject'], resources: [textParts(resources)] },
    { actions: ['s3:PutObject'], resources: [counts(resources)] },
  ]
}
