/**
 * Errors of the SDK as one clear line: what was asked for, what the cloud answered, and what the reader can do.
 *
 * The error stays the SDK's own object, with its class, name and `$metadata`; only its message becomes clear.
 */
import { maskPasswords } from '@repo/common/output/secrets'
import type { Place } from './cloud.ts'

/** What of an error of the SDK, or of Node's network, is looked at. */
export interface CloudError extends Error {
  /** A code of Node's network errors, such as `ECONNREFUSED`. */
  code?: string
  $metadata?: { httpStatusCode?: number; attempts?: number }
}

/** By the error's name, or by the code of a network error. */
const advice: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there; AWS_ENDPOINT_URL says where requests go',
  ENOTFOUND: 'there is no host of that name; AWS_ENDPOINT_URL and AWS_REGION say where requests go',
  EAI_AGAIN: 'the name of the host could not be looked up: is there a network?',
  EHOSTUNREACH: 'the host cannot be reached: is there a network?',
  ECONNRESET: 'the connection was cut, at every attempt',
  EPIPE: 'the connection was cut, at every attempt',
  TimeoutError: 'no answer in time',
  CredentialsProviderError:
    'no credentials were found: set up an account with `aws configure sso` or `aws configure`, or name a profile in AWS_PROFILE',
  InvalidAccessKeyId: 'the access key id is not known there: is it the right account, and the right AWS_ENDPOINT_URL?',
  UnrecognizedClientException: 'the access key id is not known there: is it the right account?',
  SignatureDoesNotMatch: 'the secret access key is not the one that belongs to the access key id',
  AuthFailure: 'the keys are not known there, or do not belong together: is it the right account?',
  InvalidClientTokenId: 'the access key id is not known there: is it the right account?',
  UnauthorizedOperation: 'these credentials may not do that',
  RequestExpired: "this machine's clock is wrong, or the session has ended",
  VcpuLimitExceeded: 'the account may not have that many instances: its quota is too small',
  InsufficientInstanceCapacity: 'Amazon has no such instance free there now: try another --type, or later',
  RequestLimitExceeded: 'the account asks too often: try again later',
  OptInRequired: 'the account is not signed up for that service',
  ExpiredToken: 'the session has ended: sign in again with `aws sso login`',
  RequestTimeTooSkewed: "this machine's clock is wrong by more than 15 minutes",
  AccessDenied: 'these credentials may not do that',
  AccessDeniedException: 'these credentials may not do that',
  BucketAlreadyExists: 'bucket names are shared by all accounts, and this one is taken: choose another with --bucket',
  InvalidBucketName: 'a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens',
  NoSuchBucket: 'there is no such bucket',
  NoSuchKey: 'there is no such object',
  SlowDown: 'the store asks for fewer requests a second: try again with less concurrency',
  PreconditionFailed: 'the object is no longer the one it was',
}

/** Makes the messages of everything that a client throws clear, and returns the client. */
export function explainErrors<Client extends object>(client: Client, place: Place): Client {
  // The same for the client of every service, whose types have nothing in common.
  const { middlewareStack } = client as unknown as Stacked
  middlewareStack.add(
    (next, { commandName = 'request' }) =>
      async (args) => {
        try {
          return await next(args)
        } catch (error) {
          // Who aborted it knows why.
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

function explain(error: CloudError, command: string, input: unknown, { url = 'Amazon Web Services' }: Place): string {
  const { Bucket, Key, QueueUrl } = input as { Bucket?: string; Key?: string; QueueUrl?: string }
  const target = Bucket ? ` of ${Bucket}${Key ? `/${Key}` : ''}` : QueueUrl ? ` of ${QueueUrl.split('/').at(-1)}` : ''
  // Trying all addresses of a host ends in an error that only lists the others.
  const name = error.code ?? (error instanceof AggregateError ? (error.errors[0] as CloudError).code : undefined)
  const known = advice[name ?? ''] ?? advice[error.name]
  const status = error.$metadata?.httpStatusCode
  const answer = known ? `${name ?? error.name}: ${known}` : `${error.name}: ${error.message || name}`
  return `${command.replace(/Command$/, '')}${target} at ${maskPasswords(url)} failed: ${answer}${status ? ` (${status})` : ''}`
}
