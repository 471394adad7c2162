/**
 * Turns the SDK's errors into one clear line: the request, the cloud's answer, and what the reader can do.
 *
 * An error remains the SDK's own object, with its class, name and `$metadata`. Only its message changes.
 */
import { shownUrl } from '@repo/common/output/secrets'
import type { Place } from './place.ts'

/** The properties of an error from the SDK, or from Node's network, that programs look at. */
export interface CloudError extends Error {
  /** The code of a network error, such as `ECONNREFUSED`. */
  code?: string
  $metadata?: { httpStatusCode?: number; attempts?: number }
}

/** Keyed by an error's name, or a network error's code. */
const advice: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there; AWS_ENDPOINT_URL says where requests go',
  ENOTFOUND: 'no host has that name; AWS_ENDPOINT_URL and AWS_REGION say where requests go',
  EAI_AGAIN: 'the host name could not be looked up: is there a network?',
  EHOSTUNREACH: 'the host cannot be reached: is there a network?',
  ECONNRESET: 'every attempt lost its connection',
  EPIPE: 'every attempt lost its connection',
  TimeoutError: 'no answer in time',
  CredentialsProviderError:
    'no credentials were found, or those of the profile in AWS_PROFILE cannot be used: set up an account with `aws configure sso` or `aws configure`, or name another profile',
  InvalidAccessKeyId:
    'that cloud does not know the access key id: is it the right account, and the right AWS_ENDPOINT_URL?',
  UnrecognizedClientException: 'that cloud does not know the access key id: is it the right account?',
  SignatureDoesNotMatch: 'the secret access key does not belong to the access key id',
  AuthFailure: 'that cloud does not know the keys, or they do not belong together: is it the right account?',
  InvalidClientTokenId: 'that cloud does not know the access key id: is it the right account?',
  UnauthorizedOperation: 'these credentials may not do that',
  RequestExpired: "this machine's clock is wrong, or the session has ended",
  VcpuLimitExceeded: 'the quota of the account does not allow that many instances',
  InsufficientInstanceCapacity: 'Amazon has no free instance of that type there now: try another --type, or try later',
  RequestLimitExceeded: 'the account sends too many requests: try again later',
  Throttling: 'the account sends too many requests: try again later',
  ThrottlingException: 'the account sends too many requests: try again later',
  RequestThrottled: 'the account sends too many requests: try again later',
  OptInRequired: 'the account is not signed up for that service',
  ExpiredToken: 'the session has ended: sign in again with `aws sso login`',
  ExpiredTokenException: 'the session has ended: sign in again with `aws sso login`',
  BatchRequestTooLong: 'a message is larger than the queue takes: divide the work into more jobs',
  RequestTimeTooSkewed: "this machine's clock is wrong by more than 15 minutes",
  AccessDenied: 'these credentials may not do that',
  AccessDeniedException: 'these credentials may not do that',
  BucketAlreadyExists: 'bucket names are shared by all accounts, and this one is taken: choose another with --bucket',
  InvalidBucketName: 'a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens',
  NoSuchBucket: 'that bucket does not exist',
  NoSuchKey: 'that object does not exist',
  BadDigest: 'the data was damaged on the way',
  XAmzContentSHA256Mismatch: 'the data was damaged on the way',
  SlowDown: 'the store wants fewer requests per second: try again with less concurrency',
  PreconditionFailed: 'the object has changed in the meantime',
}

/** Makes a client throw errors with clear messages. Returns the client. */
export function explainErrors<Client extends object>(client: Client, place: Place): Client {
  // The clients of all services have this, but their types have nothing in common.
  const { middlewareStack } = client as unknown as Stacked
  middlewareStack.add(
    (next, { commandName = 'request' }) =>
      async (args) => {
        try {
          return await next(args)
        } catch (error) {
          // The caller that aborted the request knows why.
          if (error instanceof Error && error.name !== 'AbortError')
            error.message = explain(error, commandName, args.input, place)
          throw error
        }
      },
    { step: 'initialize', priority: 'high', name: 'explainErrors' },
  )
  return client
}

interface Stacked {
  middlewareStack: {
    add: (
      middleware: (
        next: (args: { input: unknown }) => Promise<unknown>,
        context: { commandName?: string },
      ) => (args: { input: unknown }) => Promise<unknown>,
      options: { step: 'initialize'; priority: 'high'; name: string },
    ) => void
  }
}

function explain(error: CloudError, command: string, input: unknown, { url }: Place): string {
  const { Bucket, Key, QueueUrl } = input as { Bucket?: string; Key?: string; QueueUrl?: string }
  const target = Bucket ? ` of ${Bucket}${Key ? `/${Key}` : ''}` : QueueUrl ? ` of ${QueueUrl.split('/').at(-1)}` : ''
  // When every address of a host has failed, the error only wraps one error per address.
  const name = error.code ?? (error instanceof AggregateError ? (error.errors[0] as CloudError).code : undefined)
  const known = saysMore(error) ?? advice[name ?? ''] ?? advice[error.name]
  const status = error.$metadata?.httpStatusCode
  const answer = known ? `${name ?? error.name}: ${known}` : `${error.name}: ${error.message || name}`
  const place = url === undefined ? 'Amazon Web Services' : shownUrl(url)
  return `${command.replace(/Command$/, '')}${target} at ${place} failed: ${answer}${status ? ` (${status})` : ''}`
}

/** What an error's own message says better than its name. */
function saysMore({ name, message }: CloudError): string | undefined {
  if (/Deserialization error:/.test(message)) {
    return 'what answers there is no such service; AWS_ENDPOINT_URL says where requests go'
  }
  // Such as the command that ends the trouble with an ended session.
  return name === 'CredentialsProviderError' && /aws sso login/.test(message) ? message : undefined
}
