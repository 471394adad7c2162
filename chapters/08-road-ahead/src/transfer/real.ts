/** A way to move money on PostgreSQL and BullMQ, as processes of which one is killed with SIGKILL. */
import { randomUUID } from 'node:crypto'
import { sleep } from '@repo/common/async/timer'
import { until } from '@repo/common/async/until'
import { startProgram } from '@repo/common/process/child'
import { startAll } from '@repo/common/process/start-all'
import { temporaryFolder } from '@repo/common/process/temporary'
import type { PostgresServer } from '@repo/common/servers/postgres'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { Queue } from 'bullmq'
import { createStores, findInDoubt, openStore, type Store } from './postgres.ts'
import { type Change, extremesOf } from './reader.ts'
import { type Books, fateOf, isBalanced, isNaive, type Role, rolesOf, type Way } from './ways.ts'

/** What a process is told at its start. */
export interface Settings {
  role: Role
  way: Way
  urls: { A: string; B: string }
  /** The path of its log. */
  log: string
  /** Where messages go, if the way has any. */
  queue: { url: string; name: string } | undefined
  /** It kills itself after this number of effects. */
  killAfter: number | undefined
}

export interface KillOptions {
  postgres: PostgresServer
  /** For the ways with messages. */
  redis?: { url: string } | undefined
  /** How long the process is away, besides the time that it takes to start. */
  downMs: number
  signal?: AbortSignal | undefined
}

/** What became of a transfer during which a process was killed, when everything has been repaired. */
export type Kill = Awaited<ReturnType<typeof killAfter>>

/**
 * Carries out a transfer. One of its processes is killed after a number of effects, from 1, and started again.
 *
 * @throws an Error of one line, if a process ends by itself, or the transfer does not end within 30 s
 */
export async function killAfter(way: Way, node: Role, effects: number, options: KillOptions) {
  const { postgres, redis, downMs, signal } = options
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
  const urls = await createStores(postgres.url)
  const stores = [stack.use(openStore(urls.A)), stack.use(openStore(urls.B))]
  const roles = rolesOf(way)
  const named = roles.includes('receiver') ? redis && { url: redis.url, name: `transfer-${randomUUID()}` } : undefined
  const queue = named && new Queue(named.name, { connection: { url: named.url } })
  stack.defer(async () => {
    await queue?.obliterate({ force: true })
    await queue?.close()
  })

  let isAnswered = false
  async function start(role: Role, killAfter?: number) {
    const settings: Settings = { role, way, urls, log: `${folder.path}/${role}`, queue: named, killAfter }
    const env = { SETTINGS: JSON.stringify(settings) }
    const program = await startProgram(new URL('./node.program.ts', import.meta.url), { env, signal })
    program.process.on('message', () => {
      isAnswered = true
    })
    return program
  }
  const programs = await startAll(
    stack,
    roles.map((role) => start(role, role === node ? effects : undefined)),
  )
  const over = new AbortController()
  const others = watch(stores, over.signal)
  const ended = Promise.allSettled([others])
  stack.defer(async () => {
    over.abort()
    await ended
  })

  const transfer = { id: `${node} ${effects}`, from: 'anna', to: 'ben', amount: 10 }
  const waiting = { signal, what: `${way}: the transfer with ${transfer.id}` }
  programs[0].process.send(transfer)
  const victim = programs[roles.indexOf(node)].process
  await until(() => victim.signalCode ?? victim.exitCode !== null, waiting)
  if (victim.signalCode !== 'SIGKILL')
    throw new Error(`${way}: the ${node} ended by itself with code ${victim.exitCode}`)
  await sleep(downMs, signal)
  // Others try again and again, and may just be between two tries.
  const inDoubt = await until(async () => {
    const found = await findInDoubt(stores[0].pool)
    return found.every(({ waiting }) => waiting > 0) ? found : undefined
  }, waiting)

  const again = stack.use(await start(node))
  // The client of a naive way does not know what has happened, and leaves it at that.
  if (isNaive(way)) isAnswered = true
  else if (node === 'service') again.process.send(transfer)
  await until(async () => {
    const open = await queryBoth(stores, 'select from pg_prepared_xacts union all select from outbox')
    const jobs = await queue?.getJobCountByTypes('wait', 'active', 'delayed')
    return isAnswered && !jobs && open.every(({ rowCount }) => rowCount === 0)
  }, waiting)
  over.abort()
  const [A, B] = await Promise.all(stores.map(booksOf))
  const { credited, fate } = fateOf(transfer, A.bookings, B.bookings)
  // Only a coordinator that was killed before its decision may leave the transfer undone.
  const isUndone = credited === 0 && way !== '2pc' && !isNaive(way)
  const wrong = isUndone ? 'wrong answer' : isBalanced([transfer], A, B) ? undefined : 'wrong balance'
  return { node, effects, what: fate ?? wrong, inDoubt, ...(await others) }
}

async function booksOf({ pool }: Store): Promise<Books> {
  const { rows: bookings } = await pool.query('select transfer, amount from bookings')
  const { rows: accounts } = await pool.query('select name, balance from accounts')
  return { bookings, accounts: Object.fromEntries(accounts.map(({ name, balance }) => [name, balance])) }
}

const queryBoth = (stores: readonly Store[], sql: string) => Promise.all(stores.map(({ pool }) => pool.query(sql)))

/** Reads and writes all the time, as other clients do, until that is over. Returns what they see. */
async function watch(stores: readonly Store[], over: AbortSignal) {
  const changes: Change[] = []
  let waitedMs = 0
  const state = `
    select sum(balance)::integer as sum,
      (select count(*)::integer from pg_prepared_xacts where database = current_database()) as locked
    from accounts`
  async function read() {
    const [a, b] = (await queryBoth(stores, state)).map(({ rows }) => rows[0])
    changes.push({ atMs: performance.now(), sum: a.sum + b.sum, locked: a.locked + b.locked })
  }
  async function write({ pool }: Store) {
    const beginMs = performance.now()
    // It fails as long as the account stays locked.
    while (!over.aborted && !(await pool.query('update accounts set balance = balance').catch(() => undefined)));
    waitedMs = Math.max(waitedMs, performance.now() - beginMs)
  }
  async function again(what: () => Promise<void>) {
    for (; !over.aborted; await sleep(5)) await what()
  }
  await Promise.all([again(read), ...stores.map((store) => again(() => write(store)))])
  // The end counts, however short it is.
  await read()
  return { waitedMs, ...extremesOf(changes) }
}
