/** A store in a PostgreSQL database: each message is answered by a local transaction. */
import pg from 'pg'
import { opening } from './reader.ts'
import type { Answer, Booking, Message } from './ways.ts'

/** A transaction that is locked out gives up after this time, and is asked for again. */
const lockTimeoutMs = 50

/** In `bookings` an amount of 0 says that a key was refused: it is the inbox as well. */
const tables = `
  drop table if exists accounts, bookings, outbox;
  create table accounts (name text primary key, balance integer not null check (balance >= 0));
  create table bookings (transfer text not null, amount integer not null, key text unique);
  create table outbox (number serial, booking jsonb not null);`

export type Store = ReturnType<typeof openStore>

export function openStore(url: string) {
  const pool = new pg.Pool({ connectionString: url, max: 5, options: `-c lock_timeout=${lockTimeoutMs}` })
  // A connection that is lost while nobody uses it. The next question opens another one.
  pool.on('error', () => {})

  // #region book
  /** Books by a transaction that ends with this statement, unless it is refused. */
  async function book(client: pg.PoolClient, booking: Booking, end: string): Promise<Answer> {
    const { transfer, account, amount, key, onDone, onRefused } = booking
    const { rows } = await client.query('select amount from bookings where key = $1', [key])
    if (rows[0]) return rows[0].amount === 0 ? 'refused' : 'done'
    await client.query('begin')
    const changed = await client.query(
      'update accounts set balance = balance + $2 where name = $1 and balance + $2 >= 0',
      [account, amount],
    )
    const answer = changed.rowCount === 1 ? 'done' : 'refused'
    // If the same key is being booked elsewhere, its index lets only one of both commit.
    await client.query('insert into bookings values ($1, $2, $3)', [transfer, answer === 'done' ? amount : 0, key])
    const message = answer === 'done' ? onDone : onRefused
    if (message) await client.query('insert into outbox (booking) values ($1)', [message])
    await client.query(answer === 'done' ? end : 'commit')
    return answer
  }
  // #endregion book

  async function transact(booking: Booking, end: string) {
    const client = await pool.connect()
    try {
      return await book(client, booking, end)
    } catch (error) {
      await client.query('rollback').catch(() => {})
      throw error
    } finally {
      client.release()
    }
  }

  return {
    pool,
    /** @throws what PostgreSQL says, such as that a lock was not free in time: nothing has happened then */
    async ask(message: Message): Promise<Message> {
      if (message === 'first') {
        const { rows } = await pool.query('select booking from outbox order by number limit 1')
        return rows[0] ? { do: 'message', ...rows[0] } : 'nothing'
      }
      if (typeof message === 'string') return 'nothing'
      const { do: what, booking } = message
      const key = pg.escapeLiteral(booking.key ?? '')
      if (what === 'book') return await transact(booking, 'commit')
      if (what === 'prepare') {
        const { rowCount } = await pool.query(`select from pg_prepared_xacts where gid = ${key}`)
        return rowCount ? 'done' : await transact(booking, `prepare transaction ${key}`)
      }
      if (what === 'remove') await pool.query('delete from outbox where booking = $1', [booking])
      else {
        await pool.query(`${what === 'commit' ? 'commit' : 'rollback'} prepared ${key}`).catch((error) => {
          // That there is no such transaction means that it was done before.
          if (error.code !== '42704') throw error
        })
        // If it is still being prepared, this waits for its key, and fails. It will be asked for again.
        if (what === 'abort') await pool.query(`insert into bookings values ('', 0, ${key}) on conflict do nothing`)
      }
      return 'done'
    },
    [Symbol.asyncDispose]: () => pool.end(),
  }
}

/** Creates two databases with an account each, or sets them back to that. */
export async function createStores(url: (database: string) => string): Promise<{ A: string; B: string }> {
  await using server = openStore(url('postgres'))
  for (const [name, account] of Object.entries({ a: `'anna', ${opening}`, b: `'ben', 0` })) {
    const { rowCount } = await server.pool.query('select from pg_database where datname = $1', [name])
    if (!rowCount) await server.pool.query(`create database ${name}`)
    await using store = openStore(url(name))
    await store.pool.query(`${tables} insert into accounts values (${account})`)
  }
  return { A: url('a'), B: url('b') }
}

// #region in-doubt
/** Finds transactions that were prepared and not decided, and how many others wait for each. */
const inDoubt = `
  select prepared.gid, prepared.database, count(waiting)::integer as waiting
  from pg_prepared_xacts prepared
  left join pg_locks waiting on waiting.transactionid = prepared.transaction and not waiting.granted
  group by prepared.gid, prepared.database`
// #endregion in-doubt

export const findInDoubt = async (pool: pg.Pool) =>
  (await pool.query<{ gid: string; database: string; waiting: number }>(inDoubt)).rows
