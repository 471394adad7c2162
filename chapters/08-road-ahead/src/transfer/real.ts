/** A way to move money on PostgreSQL and BullMQ: its processes are killed with SIGKILL after each of their effects. */
import { randomUUID } from 'node:crypto'
import { sleep } from '@repo/common/async/timer'
import { until } from '@repo/common/async/until'
import { ask } from '@repo/common/process/ask'
import { startProgram } from '@repo/common/process/child'
import { startChildren } from '@repo/common/process/children'
import { temporaryFolder } from '@repo/common/process/temporary'
import type { PostgresServer } from '@repo/common/servers/postgres'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { Queue } from 'bullmq'
import { createStores, findInDoubt, type InDoubt, openStore, type Store } from './postgres.ts'
import { type Change, type Extremes, extremesOf, opening } from './reader.ts'
import { fateOf, isNaive, type Role, rolesOf, type Transfer, type Way } from './ways.ts'

/** What a process is told at its start, and later. */
export interface Settings {
  role: Role
  way: Way
  urls: { A: string; B: string }
  folder: string
  /** Where messages go, if the way has any. */
  queue?: { url: string; name: string } | undefined
}
export type Told = { killAfter: number } | { transfer: Transfer }

/** A transfer during which a process was killed, when everything has been repaired. */
export interface Kill extends Extremes {
  node: Role
  /** It was killed after this effect, from 1. */
  effects: number
  what: 'lost' | 'doubled' | undefined
  /** The longest time in ms that somebody else waited to write to one of the accounts. */
  waitedMs: number
  /** What was prepared when the process was about to come back. */
  inDoubt: InDoubt[]
}

export interface KillOptions {
  postgres: PostgresServer
  /** For the ways with messages. */
  redis?: { url: string } | undefined
  /** How long a killed process is away, besides the time that it takes to start. */
  downMs: number
  signal?: AbortSignal | undefined
  onKill?: (kills: number) => void
}

/** @throws an Error of one line, if a process ends by itself, or a transfer does not end within 30 s */
export async function killAtEachEffect(way: Way, options: KillOptions): Promise<Kill[]> {
  const { postgres, redis, downMs, signal, onKill } = options
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder())
  const urls = await createStores(postgres.url)
  const stores = [stack.use(openStore(urls.A)), stack.use(openStore(urls.B))] as const
  const named = redis && { url: redis.url, name: `transfer-${randomUUID()}` }
  const queue = named && new Queue(named.name, { connection: { url: named.url } })
  stack.defer(async () => {
    await queue?.obliterate({ force: true })
    await queue?.close()
  })

  let isAnswered = false
  const children = stack.use(
    await startChildren(rolesOf(way), async (role) => {
      const settings = { role, way, urls, folder: `${folder.path}/${role}`, queue: named }
      const program = await startProgram(new URL('./node.program.ts', import.meta.url), {
        env: { SETTINGS: JSON.stringify(settings) },
        signal,
      })
      program.process.on('message', (message) => {
        if (typeof message === 'string') isAnswered = true
      })
      return program
    }),
  )
  const send = (transfer: Transfer) => children.get('service').process.send({ transfer } satisfies Told, () => {})
  /** Returns whether the process is still there to be told. */
  const arm = (role: Role, killAfter: number) =>
    ask(children.get(role), { killAfter } satisfies Told).then(
      () => true,
      () => false,
    )
  /** Whether nothing is on its way any more. */
  async function isSettled() {
    const open = await Promise.all(
      stores.map(({ pool }) => pool.query('select from pg_prepared_xacts union all select from outbox')),
    )
    const jobs = (await queue?.getJobCountByTypes('wait', 'active', 'delayed')) ?? 0
    return jobs === 0 && open.every(({ rowCount }) => rowCount === 0)
  }

  const kills: Kill[] = []
  for (const node of rolesOf(way)) {
    for (let effects = 1; ; effects++) {
      const transfer = { id: `${node} ${effects}`, from: 'anna', to: 'ben', amount: 10 }
      for (const { pool } of stores)
        await pool.query(`update accounts set balance = case name when 'anna' then ${opening} else 0 end`)
      isAnswered = false
      let isKilled = false
      const victim = children.get(node)
      void victim.exited.then(() => {
        isKilled = true
      })
      await using others = watch(stores)
      await arm(node, effects)
      send(transfer)
      const what = `${way}: the transfer with ${transfer.id}`
      await until(async () => isKilled || (isAnswered && (await isSettled())), { signal, what })
      // It has nothing more to do.
      if (await arm(node, Number.MAX_SAFE_INTEGER)) break
      const { code, signal: endedBy } = await victim.exited
      if (endedBy !== 'SIGKILL') throw new Error(`${way}: the ${node} ended by itself with code ${code}`)
      await sleep(downMs, signal)
      let inDoubt: InDoubt[] = []
      // Others try again and again, and may just be between two tries.
      const isWaitedFor = async () => {
        inDoubt = await findInDoubt(stores[0].pool)
        return inDoubt.every(({ waiting }) => waiting > 0)
      }
      await until(isWaitedFor, { signal, what })
      await children.restart(node)
      const isOver = async () => {
        // The client of a naive way does not know what has happened, and leaves it at that.
        if (isAnswered || isNaive(way)) return await isSettled()
        send(transfer)
        return false
      }
      await until(isOver, { signal, what })
      const { waitedMs, changes } = await others.stop()
      const [debited = 0, credited = 0] = await Promise.all(stores.map((store) => bookedFor(transfer, store)))
      kills.push({ node, effects, what: fateOf(-debited, credited), waitedMs, inDoubt, ...extremesOf(changes) })
      onKill?.(kills.length)
    }
  }
  return kills
}

/** How often the amount of a transfer was booked. */
async function bookedFor({ id, amount }: Transfer, { pool }: Store): Promise<number> {
  const { rows } = await pool.query('select sum(amount)::integer as sum from bookings where transfer = $1', [id])
  return (rows[0].sum ?? 0) / amount
}

/** Reads and writes all the time, as other clients do, until it is stopped. */
function watch(stores: readonly Store[]) {
  const changes: Change[] = []
  let isOver = false
  let waitedMs = 0
  const state = `
    select sum(balance)::integer as sum,
      (select count(*)::integer from pg_prepared_xacts where database = current_database()) as locked
    from accounts`
  async function read() {
    const rows = (await Promise.all(stores.map(({ pool }) => pool.query(state)))).map(({ rows }) => rows[0])
    const total = (of: 'sum' | 'locked') => rows.reduce((total, row) => total + row[of], 0)
    changes.push({ atMs: performance.now(), sum: total('sum'), locked: total('locked') })
  }
  async function readOn() {
    while (!isOver) {
      await read()
      await sleep(pauseMs)
    }
  }
  async function write({ pool }: Store) {
    while (!isOver) {
      const beginMs = performance.now()
      const update = () => pool.query('update accounts set balance = balance')
      // It fails as long as the account stays locked.
      while (!isOver && !(await update().catch(() => undefined)));
      waitedMs = Math.max(waitedMs, performance.now() - beginMs)
      await sleep(pauseMs)
    }
  }
  const all = Promise.all([readOn(), ...stores.map(write)])
  // `stop` reports it.
  all.catch(() => {})
  return {
    async stop() {
      isOver = true
      await all
      // The end counts, however short it is.
      await read()
      return { changes, waitedMs }
    },
    async [Symbol.asyncDispose]() {
      isOver = true
      await all.catch(() => {})
    },
  }
}
const pauseMs = 5
