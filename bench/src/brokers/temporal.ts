/** Temporal's development server: all of its services in one process, and its data in one SQLite file. */
import { glob, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Child, startServer } from '@repo/common/process/child'
import { freePort, onOldPort } from '@repo/common/process/ports'
import { temporaryFolder } from '@repo/common/process/temporary'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import type { BrokerKind } from './broker.ts'
import { findProgram, isListening } from './programs.ts'

/** The command that installs it. */
const installTemporal = 'npm run engines'
const find = () => findProgram('temporal')

export const temporal: BrokerKind = {
  missing: async () => ((await find()) ? undefined : `needs Temporal: ${installTemporal}`),
  async start(signal) {
    const program = await find()
    if (!program) throw new Error(`needs Temporal: ${installTemporal}`)
    await using stack = new AsyncDisposableStack()
    const { path } = stack.use(await temporaryFolder())
    const ports = { port: await freePort(), 'http-port': await freePort(), 'metrics-port': await freePort() }
    const data = join(path, 'data')
    const launch = (): Promise<Child> =>
      startServer({
        command: program.path,
        args: [
          ...['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--log-level', 'never', '--db-filename', data],
          ...Object.entries(ports).flatMap(([name, port]) => [`--${name}`, String(port)]),
        ],
        cwd: path,
        env: { HOME: path },
        ready: () => isListening(ports.port),
        stopTimeoutMs: 500,
        signal,
      })
    let server = await launch()
    stack.defer(async () => void (await server.stop()))
    const kill = async () => {
      await server.kill()
    }
    const restart = async () => {
      server = await onOldPort(launch, { signal })
    }
    const owned = stack.move()
    return {
      version: `Temporal ${program.version}`,
      durability: 'in a SQLite file of the development server, one machine',
      // It knows no password, and listens on the loopback interface only.
      reach: { endpoints: [{ host: '127.0.0.1', port: ports.port }], user: '', password: '' },
      pids: () => [server.pid],
      folders: [path],
      async crash() {
        await kill()
        await restart()
      },
      async loseMachine() {
        await kill()
        for await (const file of glob(`${data}*`)) await rm(file)
        await restart()
      },
      [Symbol.asyncDispose]: () => owned.disposeAsync(),
    }
  },
}
