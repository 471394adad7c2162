/** Temporal's development server: all of its services in one process, and its data in one SQLite file. */
import { glob, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Child, startServer } from '@repo/common/process/child'
import { freePort, isListening, onOldPort } from '@repo/common/process/ports'
import { temporaryFolder } from '@repo/common/process/temporary'
import { firstInstalled } from '@repo/common/process/version'
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { needing } from './broker.ts'

/** The command that installs it. */
const installTemporal = 'npm run engines'

const installed = (name: string) =>
  fileURLToPath(new URL(`../../../node_modules/.cache/engines/bin/${name}`, import.meta.url))

/** The interpreter of `npm run engines`, which has Temporal's library. */
export const enginesPython = installed('python')

/** Its command names its own version first. */
const findTemporal = () => firstInstalled([installed('temporal'), 'temporal'], /(?<=\(Server )\d+\.\d+\.\d+/)

const need = { name: 'Temporal', install: installTemporal, find: findTemporal }

export const temporal = needing(need, async (program, signal) => {
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
      await server.kill()
      await restart()
    },
    async loseMachine() {
      await server.kill()
      for await (const file of glob(`${data}*`)) await rm(file)
      await restart()
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
})
