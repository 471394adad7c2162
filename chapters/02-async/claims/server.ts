import { claims } from '@repo/common/example/claims'
import server from '../examples/server.ts'

type Result = Awaited<ReturnType<typeof server.run>>

function of({ servers }: Result, name: string) {
  const found = servers.find((server) => server.name === name)
  if (!found) throw new Error(`no server ${name}`)
  return found
}

const rates = ({ servers }: Result) => servers.map(({ perSecond }) => `${perSecond.toFixed(0)}/s`).join(', ')

export default claims(server, {
  'same-throughput': {
    says: 'The first two servers answer about as many requests, within a third.',
    holds: (result) => {
      const [one, blocked] = [of(result, 'one at a time').perSecond, of(result, 'one blocked thread').perSecond]
      return Math.min(one, blocked) >= (2 / 3) * Math.max(one, blocked)
    },
    values: rates,
  },
  'blocked-ping': {
    says: 'A ping to the blocked server takes at least ten times as long as one to the first server.',
    holds: (result) => of(result, 'one blocked thread').pingP50Ms >= 10 * of(result, 'one at a time').pingP50Ms,
    values: ({ servers }) => servers.map(({ pingP50Ms }) => `${pingP50Ms.toFixed(2)} ms`).join(', '),
  },
  'waiting-together': {
    says: 'It answers at least four times as many requests as the others.',
    holds: (result) =>
      ['one at a time', 'one blocked thread'].every(
        (name) => of(result, 'asynchronous').perSecond >= 4 * of(result, name).perSecond,
      ),
    values: rates,
  },
  'idle-connections-are-cheap': {
    says: "An idle connection takes less than 20 kB of the process's memory.",
    holds: ({ held }) => held !== null && held.bytesPerConnection < 20_000,
    values: ({ held }) => `${held?.bytesPerConnection.toFixed(0)} bytes`,
  },
})
