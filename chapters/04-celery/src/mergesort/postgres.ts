/** Sorters behind PostgreSQL: the same tasks on BullMQ's other backend, and a table as the store beside the queue. */
import { randomUUID } from 'node:crypto'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { z } from 'zod'
import { openPostgresClient, type PostgresClient } from '../postgres/layer.ts'
import { type PostgresConnection, startPostgres } from '../postgres/postgres.ts'
import { startPostgresWorkers } from '../postgres/processes.ts'
import { defineTask } from '../queue/task.ts'
import { sortBehind, sortInMessage } from './tasks.ts'
import type { Sorters } from './ways.ts'

const createTable = 'create table if not exists public.runs (key text primary key, value bytea not null)'
const select = 'select value from public.runs where key = $1'
const upsert =
  'insert into public.runs (key, value) values ($1, $2) on conflict (key) do update set value = excluded.value'

/** The same as `sortByReference` of mergesort-tasks.ts, with a row of a table instead of a key in Redis. */
export const sortInTable = (connection?: PostgresConnection) => {
  let client: Promise<PostgresClient> | undefined
  return defineTask({
    name: 'mergesort.in-table',
    args: z.object({ key: z.string().max(200), bytes: z.int().min(0).multipleOf(4) }),
    run: async ({ key, bytes }, { worker }) => {
      if (!connection) throw new Error('this is the sender')
      client ??= openPostgresClient(connection)
      const { query } = await client
      const store = {
        fetch: async () => ((await query(select, [key]))[0]?.value as Buffer | undefined) ?? null,
        put: (value: Buffer) => query(upsert, [key, value]),
      }
      return { worker, spans: await sortBehind({ ...store, bytes }) }
    },
  })
}

/** Starts PostgreSQL in this process and worker processes on it. */
export async function postgresSorters(workers: number, signal: AbortSignal): Promise<Sorters & AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await startPostgres())
  stack.use(await startPostgresWorkers(server, workers, { concurrency: 1, signal }))
  const client = stack.use(await openPostgresClient(server.connection))
  const { query, send, sendMany } = client
  await query(createTable)
  const task = sortInTable()
  const owned = stack.move()
  return {
    prefix: `mergesort-${randomUUID()}`,
    async sortInMessages(runs) {
      const results = await sendMany(
        sortInMessage,
        runs.map((numbers) => ({ numbers })),
      )
      return results.map((result) => result.get({ signal }))
    },
    sortBehind: async (key, bytes) => await (await send(task, { key, bytes })).get({ signal }),
    put: (key, value) => query(upsert, [key, value]),
    fetch: async (key) => ((await query(select, [key]))[0]?.value as Buffer | undefined) ?? null,
    remove: (keys) => query('delete from public.runs where key = any($1)', [keys]),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
