/** A store in a PostgreSQL database: each message is answered by a local transaction. */
import pg from 'pg'
import { opening } from './reader.ts'
import type { Answer, Booking, Message } from './ways.ts'

/** A transaction that is locked out gives up after this time, and is asked for again. */
const lockTimeoutMs = 50

/** In `bookings` an amount of 0 says that a key was refused: it is the inbox as well. */
const tables = `
  create table accounts (name text primary key, balance integer not null check (balance >= 0));
  create table bookings (transfer text not null, amount integer not null, key text unique);
  create table outbox (number serial, booking jsonb not null);`

export interface Store extends AsyncDisposable {
  pool: pg.Pool
  /** @throws what PostgreSQL says, such as that a lock was not free in time: nothing has happened then */
  ask: (message: Message) => Promise<Message>
}

export function openStore(url: string): Store {
  const pool = new pg.Pool({ connectionString: url, max: 5, options: `-c lock_timeout=${lockTimeoutMs}` })
  // A connection that is lost while nobody uses it. The next question opens another one.
  pool.on('error', () => {})

  /** Runs statements that all happen, or none. `commit` is the statement at their end. */
  async function transact(work: (client: pg.PoolClient) => Promise<Answer>, commit = 'commit'): Promise<Answer> {
    const client = await pool.connect()
    try {
      await client.query('begin')
      const answer = await work(client)
      await client.query(answer === 'refused' && commit !== 'commit' ? 'rollback' : commit)
      return answer
    } catch (error) {
      await client.query('rollback').catch(() => {})
      throw error
    } finally {
      client.release()
    }
  }

  async function answered(client: pg.Pool | pg.PoolClient, key = ''): Promise<Answer | undefined> {
    const [booking] = (await client.query('select amount from bookings where key = $1', [key])).rows
    return booking && (booking.amount === 0 ? 'refused' : 'done')
  }

  // #region book
  async function book(client: pg.PoolClient, booking: Booking): Promise<Answer> {
    const { transfer, account, amount, key, onDone, onRefused } = booking
    const known = await answered(client, key)
    if (known) return known
    const changed = await client.query(
      'update accounts set balance = balance + $2 where name = $1 and balance + $2 >= 0',
      [account, amount],
    )
    const answer = changed.rowCount === 1 ? 'done' : 'refused'
    // If the same key is being booked elsewhere, its index lets only one of both commit.
    const booked = [transfer, answer === 'done' ? amount : 0, key]
    await client.query('insert into bookings (transfer, amount, key) values ($1, $2, $3)', booked)
    const message = answer === 'done' ? onDone : onRefused
    if (message) await client.query('insert into outbox (booking) values ($1)', [message])
    return answer
  }
  // #endregion book

  /** COMMIT or ROLLBACK PREPARED. That there is no such transaction means that it was done before. */
  const decide = async (how: 'commit' | 'rollback', key: string) => {
    await pool.query(`${how} prepared ${pg.escapeLiteral(key)}`).catch((error) => {
      if (error.code !== undefinedObject) throw error
    })
  }

  return {
    pool,
    async ask(message) {
      if (typeof message === 'string') return 'nothing'
      switch (message.do) {
        case 'book':
          return await transact((client) => book(client, message))
        case 'prepare': {
          const { booking } = message
          const { key = '' } = booking
          const isPrepared = (await pool.query('select from pg_prepared_xacts where gid = $1', [key])).rowCount
          const known = isPrepared ? 'done' : await answered(pool, key)
          return (
            known ?? (await transact((client) => book(client, booking), `prepare transaction ${pg.escapeLiteral(key)}`))
          )
        }
        case 'commit':
          await decide('commit', message.key)
          return 'done'
        case 'abort':
          await decide('rollback', message.key)
          // If it is still being prepared, this waits for its key, and fails; whoever asks will ask again.
          await pool.query(`insert into bookings values ($1, 0, $1) on conflict do nothing`, [message.key])
          return 'done'
        case 'first': {
          const first = await pool.query('select number, booking from outbox order by number limit 1')
          return first.rowCount ? { do: 'message', ...first.rows[0] } : 'nothing'
        }
        case 'remove':
          await pool.query('delete from outbox where number = $1', [message.number])
          return 'done'
        default:
          return 'nothing'
      }
    },
    [Symbol.asyncDispose]: () => pool.end(),
  }
}

const undefinedObject = '42704'

/** Creates two databases with an account each. What had their names is gone. */
export async function createStores(url: (database: string) => string): Promise<{ A: string; B: string }> {
  const client = new pg.Client(url('postgres'))
  await client.connect()
  try {
    for (const name of ['a', 'b']) {
      await client.query(`drop database if exists ${name} with (force)`)
      await client.query(`create database ${name}`)
      const store = new pg.Client(url(name))
      await store.connect()
      await store.query(tables)
      await store.query('insert into accounts values ($1, $2)', name === 'a' ? ['anna', opening] : ['ben', 0])
      await store.end()
    }
  } finally {
    await client.end()
  }
  return { A: url('a'), B: url('b') }
}

/** A transaction that was prepared and never decided. */
export interface InDoubt {
  gid: string
  database: string
  /** How many others wait for it. */
  waiting: number
}

// #region in-doubt
/** Finds transactions that were prepared and not decided, and how many others wait for each. */
const inDoubt = `
  select prepared.gid, prepared.database, count(waiting)::integer as waiting
  from pg_prepared_xacts prepared
  left join pg_locks waiting on waiting.transactionid = prepared.transaction and not waiting.granted
  group by prepared.gid, prepared.database`
// #endregion in-doubt

export async function findInDoubt(pool: pg.Pool): Promise<InDoubt[]> {
  return (await pool.query<InDoubt>(inDoubt)).rows
}
