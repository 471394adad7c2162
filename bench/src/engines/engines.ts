/** The engines that are compared, in the order of the table. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { findPython, installPython, type PythonModule } from '04-celery/celery/python'
import type { Adapter } from '../adapters/adapter.ts'
import type { BrokerKind } from '../brokers/broker.ts'
import { nats } from '../brokers/nats.ts'
import { postgres } from '../brokers/postgres.ts'
import { rabbitmq } from '../brokers/rabbitmq.ts'
import { redis } from '../brokers/redis.ts'
import { sqs } from '../brokers/sqs.ts'
import { temporal } from '../brokers/temporal.ts'
import { versionOfLibrary } from '../harness/library.ts'

export interface Engine {
  label: string
  broker: BrokerKind
  /** The file of its adapter, in `adapters`. */
  file: string
  /** Loads the adapter. Each loads its library, and there are many worker processes. */
  load: () => Promise<Adapter>
  /** The version of its library, as `BullMQ 6.7.0`; empty where the broker's own is enough. */
  version: () => Promise<string>
  /** What else is missing, besides the broker. */
  missing?: () => Promise<string | undefined>
}

/** A library's name for readers, and its version as it is installed. */
const library = (title: string, name: string) => async () => `${title} ${await versionOfLibrary(name)}`

const python = (label: string, module: PythonModule): Engine => ({
  label,
  broker: redis,
  file: 'peers.py',
  load: async () => (await import('../adapters/python.ts'))[module as 'celery' | 'rq'],
  version: async () => `${label} ${(await findPython(module))?.version ?? ''}`,
  missing: async () => ((await findPython(module)) ? undefined : `needs ${label}: ${installPython[module]}`),
})

const bullmq = library('BullMQ', 'bullmq')

export const engines: Record<string, Engine> = {
  layer: {
    label: "chapter 4's layer",
    broker: redis,
    file: 'layer.ts',
    load: async () => (await import('../adapters/layer.ts')).layer,
    version: bullmq,
  },
  bullmq: {
    label: 'BullMQ on Redis',
    broker: redis,
    file: 'bullmq.ts',
    load: async () => (await import('../adapters/bullmq.ts')).bullmq,
    version: bullmq,
  },
  'bullmq-pg': {
    label: 'BullMQ on PostgreSQL',
    broker: postgres,
    file: 'bullmq.ts',
    load: async () => (await import('../adapters/bullmq.ts')).bullmqOnPostgres,
    version: bullmq,
  },
  bee: {
    label: 'bee-queue',
    broker: redis,
    file: 'bee.ts',
    load: async () => (await import('../adapters/bee.ts')).bee,
    version: library('bee-queue', 'bee-queue'),
  },
  'pg-boss': {
    label: 'pg-boss',
    broker: postgres,
    file: 'pg-boss.ts',
    load: async () => (await import('../adapters/pg-boss.ts')).pgBoss,
    version: library('pg-boss', 'pg-boss'),
  },
  graphile: {
    label: 'graphile-worker',
    broker: postgres,
    file: 'graphile.ts',
    load: async () => (await import('../adapters/graphile.ts')).graphile,
    version: library('graphile-worker', 'graphile-worker'),
  },
  rabbitmq: {
    label: 'RabbitMQ quorum queue, 3 nodes',
    broker: rabbitmq,
    file: 'rabbitmq.ts',
    load: async () => (await import('../adapters/rabbitmq.ts')).rabbitmq,
    version: async () => '',
  },
  nats: {
    label: 'NATS JetStream, 3 nodes',
    broker: nats,
    file: 'nats.ts',
    load: async () => (await import('../adapters/nats.ts')).nats,
    version: async () => '',
  },
  temporal: {
    label: 'Temporal, development server',
    broker: temporal,
    file: 'temporal.py',
    load: async () => (await import('../adapters/python.ts')).temporal,
    version: async () => '',
  },
  sqs: {
    label: 'SQS, practice cloud',
    broker: sqs,
    file: 'sqs.ts',
    load: async () => (await import('../adapters/sqs.ts')).sqs,
    version: async () => '',
  },
  celery: python('Celery', 'celery'),
  rq: python('RQ', 'rq'),
}

/** Counts the lines of an engine's adapter, without comments, blank lines and imports. */
export async function adapterLines({ file }: Engine): Promise<number> {
  const text = await readFile(fileURLToPath(new URL(`../adapters/${file}`, import.meta.url)), 'utf8')
  const code = text.replaceAll(/\/\*[\s\S]*?\*\/|"""[\s\S]*?"""/g, '')
  return code.split('\n').filter((line) => !/^\s*(\/\/|#|import\b|from\b|$)/.test(line)).length
}
