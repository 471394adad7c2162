/** What the programs of this chapter may do on Amazon's machines: each exactly what it does, on the resources of its own. */
import { countsKey, partKey } from '../beanstalk/text-parts.ts'

/** These actions on these resources, and nothing else. */
export interface Permission {
  actions: string[]
  /** Amazon resource names. */
  resources: string[]
  /** Under these circumstances only. */
  conditions?: Record<string, Record<string, string[]>>
}

export interface Resources {
  /** Amazon resource names. */
  bucket: string
  queue: string
}

const textParts = ({ bucket }: Resources) => `${bucket}/${partKey({ id: '*' })}*`
const counts = ({ bucket }: Resources) => `${bucket}/${countsKey({ id: '*' })}*`

const takeMessages = (queue: string): Permission => ({
  actions: ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'],
  resources: [queue],
})

/** A worker of wordcount: takes jobs, reads the bucket, writes results, reports. */
export function countPermissions({ bucket, queue }: Resources, reports: string): Permission[] {
  return [
    takeMessages(queue),
    { actions: ['sqs:SendMessage'], resources: [reports] },
    { actions: ['s3:GetObject'], resources: [`${bucket}/*`] },
    { actions: ['s3:PutObject'], resources: [`${bucket}/results/*`] },
  ]
}

/** Takes jobs, reads parts of texts and writes their counts. */
export function workerPermissions(resources: Resources): Permission[] {
  return [
    takeMessages(resources.queue),
    { actions: ['s3:GetObject'], resources: [textParts(resources)] },
    { actions: ['s3:PutObject'], resources: [counts(resources)] },
  ]
}

/** Takes texts, sends jobs, and reads what has been counted. */
export function webPermissions(resources: Resources): Permission[] {
  return [
    { actions: ['sqs:SendMessage'], resources: [resources.queue] },
    { actions: ['s3:PutObject'], resources: [textParts(resources)] },
    { actions: ['s3:GetObject'], resources: [counts(resources)] },
    {
      actions: ['s3:ListBucket'],
      resources: [resources.bucket],
      conditions: { StringLike: { 's3:prefix': [partKey({ id: '*' }), countsKey({ id: '*' })] } },
    },
  ]
}
