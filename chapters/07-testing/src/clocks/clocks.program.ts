/**
 * A process with a wrong clock. It talks to others over UDP and records what every kind of clock says. Started by
 * clocks.ts.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { randomFrom } from '@repo/common/async/random'
import { ready } from '@repo/common/process/ready'
import type { ClockEvent, ClockSettings, Command, Packet, Reading, Sample } from './clocks.ts'
import { HybridClock, LamportClock, VectorClock } from './logical.ts'
import type { Exchange } from './sync.ts'

const { self, processes, offsetMs, driftPpm, delayMs, seed, beginNs } = JSON.parse(
  process.argv[2] ?? '{}',
) as ClockSettings
const random = randomFrom(seed)

/** The machine's monotonic clock, in ms. All processes share it: it is the truth here. */
const trueNow = () => Number(process.hrtime.bigint() - BigInt(beginNs)) / 1e6
/** The same with the injected error: wrong by an offset, and too fast or too slow. */
const wallNow = () => trueNow() * (1 + driftPpm / 1e6) + offsetMs

const lamport = new LamportClock()
const vector = new VectorClock(self, processes)
const hybrid = new HybridClock(wallNow)
const events: ClockEvent[] = []
const answers = new Map<number, (exchange: Exchange) => void>()

const socket = createSocket('udp4')
socket.bind(0, '127.0.0.1')
await once(socket, 'listening')

/** Sends after the simulated network delay: at most `delayMs`, and different each time. */
const send = (packet: Packet, port: number) =>
  setTimeout(() => socket.send(JSON.stringify(packet), port, '127.0.0.1', () => {}), delayMs * random())

function note(what: ClockEvent['what'], message: string | undefined, sent?: Reading): Reading {
  const reading: Reading = {
    wall: wallNow(),
    lamport: sent ? lamport.receive(sent.lamport) : lamport.tick(),
    vector: sent ? vector.receive(sent.vector) : vector.tick(),
    hybrid: sent ? hybrid.receive(sent.hybrid) : hybrid.tick(),
  }
  events.push({ process: self, what, message, trueMs: trueNow(), ...reading })
  return reading
}

socket.on('message', (data, { port }) => {
  const received = wallNow()
  const packet = JSON.parse(data.toString()) as Packet
  if (packet.do === 'tell') note('receive', packet.message, packet.reading)
  else if (packet.do === 'answer') answers.get(packet.number)?.({ ...packet.exchange, received })
  // The process takes a while to reply.
  else void delay(delayMs * random()).then(() => answer(packet.number, packet.sent, received, port))
})

function answer(number: number, sent: number, receivedThere: number, port: number) {
  // The timestamp is taken before the network delay.
  send({ do: 'answer', number, exchange: { sent, receivedThere, sentThere: wallNow() } }, port)
}

/** Asks a process for its time, and asks again when a packet is lost. */
async function ask(port: number, rounds: number): Promise<Sample[]> {
  const samples: Sample[] = []
  for (let number = 0; samples.length < rounds; number++) {
    const answered = new Promise<Exchange>((resolve) => answers.set(number, resolve))
    send({ do: 'ask', number, sent: wallNow() }, port)
    const exchange = await Promise.race([answered, delay(1_000 + 4 * delayMs)])
    if (exchange) samples.push({ exchange, trueMs: trueNow() })
  }
  return samples
}

/** Sends messages to others, with local events in between. */
async function chat(ports: readonly number[], messages: number) {
  for (let at = 0; at < messages; at++) {
    await delay(2 * delayMs * random())
    if (random() < 0.3) note('local', undefined)
    const to = (self + 1 + Math.floor((processes - 1) * random())) % processes
    const message = `${self}-${at}`
    send({ do: 'tell', message, reading: note('send', message) }, ports[to] ?? 0)
    process.send?.({ sent: true })
  }
  // The last messages of the others are still under way.
  await delay(3 * delayMs + 50)
}

process.on('message', async (command: Command) => {
  if (command.do === 'ask') process.send?.({ samples: await ask(command.port, command.rounds) })
  else if (command.do === 'chat') {
    await chat(command.ports, command.messages)
    process.send?.({ chatted: true })
  } else process.send?.({ events })
})
process.once('SIGTERM', () => process.exit(0))
ready({ port: socket.address().port })
