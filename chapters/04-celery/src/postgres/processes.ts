/** Worker processes on a PostgreSQL, started here. */
import { startProgram } from '@repo/common/process/child'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { PostgresServer } from './postgres.ts'

/** Disposing of them stops them. */
export async function startPostgresWorkers(
  { connection }: PostgresServer,
  workers: number,
  {
    concurrency = 16,
    lockMs = 30_000,
    signal,
  }: { concurrency?: number; lockMs?: number; signal?: AbortSignal | undefined } = {},
) {
  await using stack = new AsyncDisposableStack()
  const programs = await Promise.all(
    Array.from({ length: workers }, (_, at) =>
      startProgram<{ name: string }>(new URL('./worker.program.ts', import.meta.url), {
        args: [`worker ${at + 1}`, String(concurrency), String(lockMs)],
        env: { POSTGRES: JSON.stringify(connection) },
        signal,
      }).then((program) => stack.use(program)),
    ),
  )
  const owned = stack.move()
  return { programs, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
