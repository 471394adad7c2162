/**
 * Ranks in a ring: N processes of one program, each with a TCP connection to the next. That is enough for a reduction.
 * The vector is cut into N chunks. Every rank adds its part to the chunk that passes by, and after N - 1 steps each
 * rank holds one finished chunk, which then goes round once more. Every rank sends 2 (N - 1) / N of the vector, for any
 * N (Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms", 2009).
 *
 * The ranks find each other through the job's folder, which all nodes share: each writes its address into a file.
 *
 * This module is bundled for the nodes, which may have an old Node.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { createConnection, createServer, type OnReadOpts, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface Place {
  rank: number
  size: number
}

/** The variables with the rank and the number of ranks, set by the program that starts the ranks. */
const sources = [
  ['OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'],
  ['PMI_RANK', 'PMI_SIZE'],
  ['RANK', 'SIZE'],
  ['SLURM_PROCID', 'SLURM_NTASKS'],
] as const

/** Reads this process's place from the environment. @throws an Error if no variable holds it */
export function placeIn(environment: NodeJS.ProcessEnv): Place {
  for (const [rankName, sizeName] of sources) {
    const [rank, size] = [Number(environment[rankName] ?? Number.NaN), Number(environment[sizeName] ?? Number.NaN)]
    if (Number.isInteger(rank) && Number.isInteger(size) && rank >= 0 && rank < size) return { rank, size }
  }
  throw new Error(`no rank in the environment; looked for ${sources.map(([name]) => name).join(', ')}`)
}

interface Address {
  host: string
  port: number
  /**
   * A secret that every connection must begin with: any user can reach the port, but only this user can read the file.
   */
  token: string
  node: string
}

export interface JoinOptions extends Place {
  /** A new folder for this launch, which all ranks share. */
  folder: string
  /** The address at which other ranks can reach this one. */
  host: string
  /** The name of this rank's node, for the others' information. */
  node: string
  timeoutMs?: number
}

export interface Ring extends Place, Disposable {
  /** The nodes of all ranks. */
  nodes: string[]
  /** Sends to the next rank. The bytes must not change until the next call of `receive` has settled. */
  send: (bytes: Uint8Array) => void
  /** Fills the array with bytes from the previous rank. */
  receive: (into: Uint8Array) => Promise<void>
}

/** Takes this rank's place in the ring. Resolves when both neighbours are connected. */
export async function joinRing({ rank, size, folder, host, node, timeoutMs = 60_000 }: JoinOptions): Promise<Ring> {
  const deadline = performance.now() + timeoutMs
  const token = randomBytes(16).toString('hex')
  const server = createServer({ noDelay: true }).listen(0, host)
  const sockets = new Set<Socket>()
  // Listens for connections before anybody knows the address.
  const before = admit(server, token, sockets)
  let left: Socket | undefined
  let next: Socket | undefined
  try {
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('not listening')
    const own: Address = { host, port: address.port, token, node }
    await mkdir(folder, { recursive: true })
    const file = join(folder, `${rank}.json`)
    await writeFile(`${file}.new`, JSON.stringify(own), { mode: 0o600 })
    await rename(`${file}.new`, file)

    const addresses = await Promise.all(
      Array.from({ length: size }, (_, other) => readAddress(join(folder, `${other}.json`), other, deadline)),
    )
    // The receiver connects, because that end of a connection can choose where in memory the bytes go (onread).
    const previous = addresses[(rank + size - 1) % size] as Address
    const incoming = new Incoming()
    left = createConnection({ host: previous.host, port: previous.port, noDelay: true, onread: incoming })
    incoming.endWith(left)
    await once(left, 'connect')
    left.write(previous.token)
    const late = AbortSignal.timeout(Math.max(1, Math.ceil(deadline - performance.now())))
    const admitted = await Promise.race([
      before,
      once(late, 'abort').then((): never => {
        throw new Error(`rank ${rank}: the next rank did not connect within ${timeoutMs / 1000} s`)
      }),
    ])
    const [to, from] = [admitted, left]
    next = admitted
    return {
      rank,
      size,
      nodes: addresses.map((each) => each.node),
      send: (bytes) => void to.write(bytes),
      receive: (into) => incoming.fill(into),
      [Symbol.dispose]() {
        to.end()
        from.end()
      },
    }
  } catch (error) {
    left?.destroy()
    throw error
  } finally {
    // From here on nobody else may connect. Connections without the token must not keep this process alive.
    server.close()
    for (const socket of sockets) if (socket !== next) socket.destroy()
  }
}

/**
 * Returns the first connection that begins with the token. Closes wrong ones; the caller closes the rest of `sockets`.
 */
function admit(server: Server, token: string, sockets: Set<Socket>): Promise<Socket> {
  return new Promise((resolve) => {
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('readable', function listen() {
        const said = socket.read(token.length) as Buffer | null
        // Null means that more is to come. A connection that ends early yields what it has sent.
        if (said === null) return
        socket.off('readable', listen)
        if (said.length === token.length && timingSafeEqual(said, Buffer.from(token))) resolve(socket)
        else socket.destroy()
      })
    })
  })
}

async function readAddress(file: string, rank: number, deadline: number): Promise<Address> {
  for (;;) {
    try {
      return JSON.parse(await readFile(file, 'utf8')) as Address
    } catch (cause) {
      if (performance.now() > deadline) throw new Error(`rank ${rank} has not come`, { cause })
      await delay(10)
    }
  }
}

/**
 * Incoming bytes of a connection. The system reads them straight into the array that is being filled, without a copy.
 * Only bytes that arrive before they are requested are kept and copied later.
 */
class Incoming implements OnReadOpts {
  readonly #early = Buffer.allocUnsafeSlow(65_536)
  readonly #kept: Buffer[] = []
  #wanted: { into: Uint8Array; filled: number; resolve: () => void; reject: (error: Error) => void } | undefined
  #ended: Error | undefined

  endWith(socket: Socket) {
    const end = (error?: Error) => {
      this.#ended ??= new Error('the rank before has gone', { cause: error })
      this.#wanted?.reject(this.#ended)
    }
    socket.on('error', end).on('close', () => end())
  }

  /** The memory for the next bytes. */
  readonly buffer = (): Uint8Array => this.#wanted?.into.subarray(this.#wanted.filled) ?? this.#early

  /** Called when bytes have arrived in `buffer`. */
  readonly callback = (length: number, buffer: Uint8Array): boolean => {
    if (buffer.buffer !== this.#early.buffer) this.#filled(length)
    else {
      this.#kept.push(Buffer.copyBytesFrom(buffer, 0, length))
      this.#giveKept()
    }
    return true
  }

  async fill(into: Uint8Array): Promise<void> {
    // No bytes will arrive for an empty array.
    if (into.length === 0) return
    await new Promise<void>((resolve, reject) => {
      this.#wanted = { into, filled: 0, resolve, reject }
      this.#giveKept()
      if (this.#wanted && this.#ended) reject(this.#ended)
    })
  }

  #giveKept() {
    for (let kept = this.#kept[0]; kept && this.#wanted; kept = this.#kept[0]) {
      const { into, filled } = this.#wanted
      const length = Math.min(kept.length, into.length - filled)
      into.set(kept.subarray(0, length), filled)
      if (length === kept.length) this.#kept.shift()
      else this.#kept[0] = kept.subarray(length)
      this.#filled(length)
    }
  }

  #filled(length: number) {
    if (!this.#wanted) return
    this.#wanted.filled += length
    if (this.#wanted.filled < this.#wanted.into.length) return
    this.#wanted.resolve()
    this.#wanted = undefined
  }
}

/** Passes a small message round the ring `laps` times. Returns the microseconds from one rank to the next. */
export async function passAround({ rank, size, send, receive }: Ring, laps: number): Promise<number> {
  const message = new Uint8Array(8)
  const start = performance.now()
  for (let lap = 0; lap < laps; lap++) {
    if (rank === 0) send(message)
    await receive(message)
    if (rank !== 0) send(message)
  }
  return ((performance.now() - start) * 1000) / (laps * size)
}

/** Adds up all ranks' vectors. On every rank, the sum replaces the vector. */
export async function allReduce({ rank, size, send, receive }: Ring, vector: Float64Array): Promise<void> {
  const bounds = Array.from({ length: size + 1 }, (_, at) => Math.floor((vector.length * at) / size))
  const chunk = (index: number) => {
    const at = ((index % size) + size) % size
    return vector.subarray(bounds[at], bounds[at + 1])
  }
  const bytes = (part: Float64Array) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
  // #region all-reduce
  const passing = new Float64Array(Math.ceil(vector.length / size))
  for (let step = 0; step < size - 1; step++) {
    send(bytes(chunk(rank - step)))
    const sum = chunk(rank - step - 1)
    const added = passing.subarray(0, sum.length)
    await receive(bytes(added))
    for (let at = 0; at < sum.length; at++) sum[at] += added[at]
  }
  for (let step = 0; step < size - 1; step++) {
    send(bytes(chunk(rank + 1 - step)))
    await receive(bytes(chunk(rank - step)))
  }
  // #endregion all-reduce
}
