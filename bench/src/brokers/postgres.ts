/** One PostgreSQL with its own defaults: a transaction is on disk before it is answered. */
import { findPostgres, installPostgres, startPostgres } from '@repo/common/servers/postgres'
import { needing, type Reach } from './broker.ts'

const need = { name: 'PostgreSQL', install: installPostgres, find: findPostgres }

export const postgres = needing(need, async ({ version }, signal) => {
  // Each worker has a pool of connections.
  const postgres = await startPostgres({ settings: { max_connections: 200 }, signal })
  const { hostname, port, username, password } = new URL(postgres.url(database))
  return {
    version: `PostgreSQL ${version}`,
    durability: 'on disk before the answer (fsync, synchronous_commit), one machine',
    reach: { endpoints: [{ host: hostname, port: Number(port) }], user: username, password },
    pids: () => [postgres.server.pid],
    folders: [postgres.folder],
    async crash() {
      await postgres.server.kill()
      await postgres.restart()
    },
    async loseMachine() {
      await postgres.server.kill()
      await postgres.restart({ withoutData: true })
    },
    [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
  }
})

const database = 'postgres'

/** The options of node-postgres. */
export const postgresOptions = ({ endpoints: [endpoint], user, password }: Reach) => ({
  host: endpoint?.host ?? '',
  port: endpoint?.port ?? 0,
  user,
  password,
  database,
})
