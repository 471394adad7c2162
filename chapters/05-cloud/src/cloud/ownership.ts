/**
 * How the chapter recognises what it created: by a tag, and by names of one form. Cleaning up removes what has either,
 * and nothing else.
 */
import { randomBytes } from 'node:crypto'

/** The tag on everything that this chapter creates at Amazon. */
export const tagKey = 'created-by'
export const tagValue = 'distributed-computing-with-typescript'
/** The tag's value on resources of the CloudFormation stack, which only CloudFormation may remove. */
export const stackTagValue = `${tagValue}-stack`

/** The prefix of all names that the chapter's programs give. */
export const ownPrefix = 'distributed-computing-'

/** A new name. It is random because all accounts of a cloud share one set of bucket names. */
export function ownName(): string {
  return `${ownPrefix}${randomBytes(6).toString('hex')}`
}

/** Whether `ownName` made this name. The prefix alone does not tell: the reader's own names may begin with it. */
export function isOwnName(name: string): boolean {
  return name.startsWith(ownPrefix) && /^[0-9a-f]{12}$/.test(name.slice(ownPrefix.length))
}
