/** A daemon serves an object under a name, with one instance for all, one for each connection, or one for each call. */
import { AsyncDisposableStack } from '@whatwg-node/disposablestack'
import { RpcStub, RpcTarget } from 'capnweb'
import { type KeepOptions, keepName } from './names.ts'
import { type RemoteServer, type ServeOptions, serve } from './remote.ts'

/**
 * How many instances of the object there are:
 * - `single`: one that all clients share;
 * - `session`: one for each connection, which no other client sees, and which is disposed of when the connection ends;
 * - `call`: one for each call, disposed of after it. It remembers nothing, so any worker can take any call.
 */
export type Instances = 'single' | 'session' | 'call'

export interface DaemonOptions extends ServeOptions {
  instances?: Instances
  /** Registers the daemon's address under a name. */
  register?: { names: string; name: string } & Pick<KeepOptions, 'leaseMs' | 'onChange'>
}

/**
 * Serves the objects that `create` makes.
 *
 * @returns the server; disposing of it gives the name back and ends all connections
 * @throws what `serve` and `keepName` throw
 */
export async function serveObject(
  create: () => RpcTarget,
  { instances = 'session', register, ...options }: DaemonOptions,
): Promise<RemoteServer> {
  await using stack = new AsyncDisposableStack()
  const server = stack.use(await serve(opener(create, instances, stack), options))
  if (register) {
    const { names, name, ...keeping } = register
    const { secret, signal } = options
    stack.use(await keepName(names, name, server.address, { secret, signal, ...keeping }))
  }
  const owned = stack.move()
  return {
    address: server.address,
    get connections() {
      return server.connections
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

// #region instances
function opener(create: () => RpcTarget, instances: Instances, stack: AsyncDisposableStack) {
  if (instances === 'session') return create
  if (instances === 'call') {
    const EachCall = eachCall(create)
    return () => new EachCall()
  }
  // Each connection disposes of its duplicate. The last one is ours, and the object is disposed of with it.
  const shared = stack.adopt(new RpcStub(create()), (stub) => stub[Symbol.dispose]())
  return () => shared.dup()
}
// #endregion instances

/** Returns a class with the same methods. Each makes an instance, calls its method, and disposes of the instance. */
function eachCall(create: () => RpcTarget): new () => RpcTarget {
  class EachCall extends RpcTarget {}
  const type = create()
  for (const method of methodsOf(type)) {
    Object.defineProperty(EachCall.prototype, method, {
      async value(...args: unknown[]) {
        const instance = create() as RpcTarget & Record<string, (...args: unknown[]) => unknown> & Partial<Disposable>
        try {
          return await instance[method]?.(...args)
        } finally {
          instance[Symbol.dispose]?.()
        }
      },
    })
  }
  ;(type as Partial<Disposable>)[Symbol.dispose]?.()
  return EachCall
}

function methodsOf(object: RpcTarget): string[] {
  const names: string[] = []
  for (let at = Object.getPrototypeOf(object); at && at !== RpcTarget.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === 'function' && name !== 'constructor') names.push(name)
    }
  }
  return names
}
