/** Who carries a file to a bucket and back: chapter 5's parts, rclone, the AWS command line, and curl. */
import { execFile } from 'node:child_process'
import { devNull } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { s3Client } from '05-cloud/cloud/clients'
import { type Place as Cloud, keysOf } from '05-cloud/cloud/place'
import { downloadFile, uploadFile } from '05-cloud/storage/files'
import { found, nothing, versionOfLibrary } from '../harness/library.ts'
import type { ContenderOf } from '../harness/suite.ts'
import { timed } from '../harness/turns.ts'

export interface Place {
  cloud: Cloud
  s3: S3Client
  bucket: string
}

/** Both return the milliseconds from one end to the other. */
interface Transfers {
  /** Where a downloaded file is when it has its name. */
  durability: string
  /** From a file to an object. */
  up: (file: string, key: string, signal: AbortSignal) => Promise<number>
  /** From an object to a file. */
  down: (key: string, file: string, signal: AbortSignal) => Promise<number>
}

export type Contender = ContenderOf<Place, Transfers>

/** Where a program may be: `npm run transfers` has installed it, or it is on PATH. */
export const placesOf = (name: string): [string, string] => [
  fileURLToPath(new URL(`../../../node_modules/.cache/transfers/bin/${name}`, import.meta.url)),
  name,
]

const inMemory = 'in memory, until the system writes it to the disk'

interface Commands {
  name: string
  /** Arguments that copy from one place to another, and how they name an object. */
  copy: string[]
  object: (bucket: string, key: string) => string
  /** Its configuration. No other user can read a process's environment. */
  env: (cloud: Cloud) => NodeJS.ProcessEnv
}

// #region program
/** A program that is started for each file, without the reader's own settings. */
const program = (label: string, { name, copy, object, env }: Commands): Contender => ({
  label,
  async start({ cloud, bucket }) {
    const { path, version } = await found(placesOf(name), 'npm run transfers')
    const own = /^(AWS|RCLONE)_|_proxy$/i
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([variable]) => !own.test(variable)))
    const settings = { ...inherited, ...env(cloud) }
    const run = (from: string, to: string, signal: AbortSignal) =>
      timed(() => promisify(execFile)(path, [...copy, from, to], { env: settings, signal }))
    return {
      ...nothing,
      version: `${name} ${version}`,
      durability: inMemory,
      up: (file, key, signal) => run(file, object(bucket, key), signal),
      down: (key, file, signal) => run(object(bucket, key), file, signal),
    }
  },
})
// #endregion program

export const contenders: Record<string, Contender> = {
  parts: {
    label: 'chapter 5, in parts',
    async start({ s3, bucket }) {
      return {
        ...nothing,
        version: `Node ${process.versions.node}, AWS SDK ${await versionOfLibrary('@aws-sdk/client-s3')}`,
        durability: 'a downloaded file is on the disk (fsync)',
        up: (file, key, signal) => timed(() => uploadFile(s3, { bucket, key }, file, { signal })),
        down: (key, file, signal) => timed(() => downloadFile(s3, { bucket, key }, file, { signal })),
      }
    },
  },
  rclone: program('rclone copyto', {
    name: 'rclone',
    copy: ['copyto'],
    object: (bucket, key) => `practice:${bucket}/${key}`,
    env: (cloud) => ({
      RCLONE_CONFIG: '',
      RCLONE_CONFIG_PRACTICE_TYPE: 's3',
      RCLONE_CONFIG_PRACTICE_PROVIDER: 'Other',
      RCLONE_CONFIG_PRACTICE_ENDPOINT: cloud.url,
      RCLONE_CONFIG_PRACTICE_REGION: cloud.region,
      RCLONE_CONFIG_PRACTICE_ACCESS_KEY_ID: cloud.credentials?.accessKeyId,
      RCLONE_CONFIG_PRACTICE_SECRET_ACCESS_KEY: cloud.credentials?.secretAccessKey,
    }),
  }),
  aws: program('aws s3 cp', {
    name: 'aws',
    copy: ['s3', 'cp', '--only-show-errors'],
    object: (bucket, key) => `s3://${bucket}/${key}`,
    env: (cloud) => ({
      AWS_CONFIG_FILE: devNull,
      AWS_SHARED_CREDENTIALS_FILE: devNull,
      AWS_ENDPOINT_URL: cloud.url,
      AWS_DEFAULT_REGION: cloud.region,
      ...keysOf(cloud),
    }),
  }),
  limit: {
    label: 'the limit: curl, one request',
    async start({ cloud, bucket }) {
      const { path, version } = await found(['curl'], 'sudo apt-get install curl')
      // By default the SDK wants a checksum with what is sent to its URL.
      const s3 = s3Client(cloud, { requestChecksumCalculation: 'WHEN_REQUIRED' })
      /** The URL comes by standard input: who has it may do the request. */
      const run = (url: string, args: string[], signal: AbortSignal) =>
        timed(async () => {
          const options = ['-q', '--silent', '--show-error', '--fail', '--noproxy', '*', '--config', '-']
          const running = promisify(execFile)(path, [...options, ...args], { signal })
          running.child.stdin?.end(`url = "${url}"`)
          await running
        })
      return {
        version: `curl ${version}`,
        durability: inMemory,
        async up(file, key, signal) {
          const url = await getSignedUrl(s3, new PutObjectCommand({ Bucket: bucket, Key: key }))
          // It would wait for the store's permission.
          return await run(url, ['--upload-file', file, '--header', 'Expect:'], signal)
        },
        async down(key, file, signal) {
          const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: bucket, Key: key }))
          return await run(url, ['--output', file], signal)
        },
        [Symbol.asyncDispose]: async () => s3.destroy(),
      }
    },
  },
}
