/** The practice cloud's queues: limits of SQS that fauxqs does not know. */
// The package exports neither of them.
import { SqsError } from '../../node_modules/fauxqs/dist/common/errors.js'
import { SETTABLE_ATTRIBUTES } from '../../node_modules/fauxqs/dist/sqs/sqsTypes.js'

/** What we look at in a request, whose other fields fauxqs checks. */
interface QueueRequest {
  QueueName?: string
  Attributes?: Record<string, string>
  DelaySeconds?: number
  MessageAttributes?: object
}

const longestDelayS = 900
const mostAttributes = 10
const attributesOfFifo = ['DeduplicationScope', 'FifoThroughputLimit']

/** Throws an SqsError if SQS would refuse a request: `CreateQueue` or `SendMessage`. */
export function requireQueueLimits(action: string, request: QueueRequest): void {
  const { QueueName: name = '', Attributes: attributes = {}, DelaySeconds: delay = 0, MessageAttributes = {} } = request
  if (action === 'CreateQueue') {
    const isFifo = attributes.FifoQueue === 'true'
    if (!/^[\w-]{1,80}$/.test(isFifo ? name.replace(/\.fifo$/, '-fifo') : name)) {
      throw invalid('Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length')
    }
    const unknown = Object.keys(attributes).find(
      (each) => !(SETTABLE_ATTRIBUTES.has(each) || attributesOfFifo.includes(each)),
    )
    if (unknown) throw new SqsError('InvalidAttributeName', `Unknown Attribute ${unknown}.`)
  }
  if (action === 'SendMessage') {
    if (!(Number.isInteger(delay) && delay >= 0 && delay <= longestDelayS)) {
      const reason = `DelaySeconds must be >= 0 and <= ${longestDelayS}`
      throw invalid(`Value ${delay} for parameter DelaySeconds is invalid. Reason: ${reason}.`)
    }
    const count = Object.keys(MessageAttributes).length
    if (count > mostAttributes) {
      throw invalid(`Number of message attributes [${count}] exceeds the allowed maximum [${mostAttributes}].`)
    }
  }
}

const invalid = (message: string) => new SqsError('InvalidParameterValue', message)
