/** Who carries a file to a bucket and back: chapter 5's parts, rclone, the AWS command line, and bare HTTP. */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
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
    label: 'the limit: one HTTP request',
    async start({ cloud, bucket }) {
      // By default the SDK wants a checksum with what is sent to its URL.
      const s3 = s3Client(cloud, { requestChecksumCalculation: 'WHEN_REQUIRED' })
      return {
        version: `Node ${process.versions.node}`,
        durability: inMemory,
        async up(file, key, signal) {
          const url = await getSignedUrl(s3, new PutObjectCommand({ Bucket: bucket, Key: key }))
          return await timed(async () => {
            requireOk(await fetch(url, { method: 'PUT', body: await readFile(file), signal }))
          })
        },
        async down(key, file, signal) {
          const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket: bucket, Key: key }))
          return await timed(async () => {
            const response = requireOk(await fetch(url, { signal }))
            await writeFile(file, await response.bytes())
          })
        },
        [Symbol.asyncDispose]: async () => s3.destroy(),
      }
    },
  },
}

function requireOk(response: Response) {
  if (!response.ok) throw new Error(`the store answers ${response.status}`)
  return response
}
