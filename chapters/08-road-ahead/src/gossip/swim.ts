/**
 * Finds out which members have failed. In each period, a member pings one other. If that does not answer, it asks a few
 * others to ping it. If there is still no answer, it suspects it, and tells; who hears that it is suspected itself
 * contradicts, with a higher incarnation. A suspect that has not contradicted for a while is dead. News travels on the
 * pings and their answers.
 *
 * Source: Das, Gupta and Motivala, "SWIM: scalable weakly-consistent infection-style process group membership protocol"
 * (2002). As in hashicorp/memberlist, a member that was called dead by mistake may contradict that as well.
 */
import type { Handler, NodeWorld, Receive } from '@repo/simulator/simulator'

/** What is said about a member. The incarnation is the member's own counter: only it can raise it. */
export interface News {
  member: string
  state: 'alive' | 'suspect' | 'dead'
  incarnation: number
}

/** On a ping on behalf of somebody, the answer goes to the helper, who passes it on. */
export interface Message {
  kind: 'ping' | 'answer' | 'help'
  number: number
  /** For `help`: whom to ping. For the others: on whose behalf. */
  whom?: string
  news: News[]
}

export interface SwimOptions {
  name: string
  members: readonly string[]
  /** The time between two pings, how long an answer may take, and how many are asked for help. */
  periodMs: number
  answerMs: number
  helpers: number
  /** How long a suspect may contradict; 0 calls a member dead at once, without suspicion. */
  suspicionMs: number
  /** Called when this member itself finds that another one has failed (`found`), or hears it. */
  onDead: (news: News, found: boolean) => void
}

/** On each message there is room for this number of news, the least often told first. */
const newsPerMessage = 6
const strength = { alive: 0, suspect: 1, dead: 2 }

// #region overrides
/** A higher incarnation counts more than a lower one; in the same incarnation, the worse news counts. */
export function overrides(news: News, known: News): boolean {
  if (news.incarnation !== known.incarnation) return news.incarnation > known.incarnation
  return strength[news.state] > strength[known.state]
}
// #endregion overrides

/** Starts a member, and returns the handler of its messages. */
export function startMember(
  world: NodeWorld<Message>,
  { name, members, periodMs, answerMs, helpers, suspicionMs, onDead }: SwimOptions,
): Receive<string, Message> {
  const states = new Map(members.map((member): [string, News] => [member, { member, state: 'alive', incarnation: 0 }]))
  const others = members.filter((member) => member !== name)
  /** How often each piece of news was passed on; after some log n times everybody is likely to have it. */
  const told = new Map<string, number>()
  const mostOften = Math.ceil(3 * Math.log2(members.length + 1))
  let number = 0
  let answered = 0

  const send = (to: string, message: Omit<Message, 'news'>) => {
    const sent = [...told].sort(([, a], [, b]) => a - b).slice(0, newsPerMessage)
    for (const [member, times] of sent) {
      if (times + 1 < mostOften) told.set(member, times + 1)
      else told.delete(member)
    }
    const news = sent.flatMap(([member]) => states.get(member) ?? [])
    // Who is suspected must learn it, to contradict. Source: Dadgar, Phillips and Currey, "Lifeguard" (2018).
    const about = states.get(to)
    if (about && about.state !== 'alive' && !news.includes(about)) news.push(about)
    return { do: 'send', to, message: { ...message, news } } as const
  }

  function hear(news: News, found = false): undefined {
    const known = states.get(news.member)
    if (!known || !overrides(news, known)) return
    if (news.member === name && news.state !== 'alive')
      return hear({ member: name, state: 'alive', incarnation: news.incarnation + 1 })
    states.set(news.member, news)
    told.set(news.member, 0)
    if (news.state === 'dead') onDead(news, found)
    if (news.state !== 'suspect') return
    // Each member waits by itself, so that the news is believed even if whoever began it has failed.
    world.later(name, suspicionMs, () =>
      states.get(news.member) === news ? hear({ ...news, state: 'dead' }, true) : undefined,
    )
  }

  /** Returns the others in a random order. */
  const shuffled = () => {
    const keys = new Map(others.map((member) => [member, world.random()]))
    return others.toSorted((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0))
  }

  function* probe(): Handler<string, Message> {
    yield { do: 'wait', ms: world.random() * periodMs }
    let round: string[] = []
    for (;;) {
      const endMs = world.now + periodMs
      // Everybody once, in a random order, and then again in another: nobody waits long for a ping.
      if (round.length === 0) round = shuffled()
      const target = round.pop() as string
      const ping = ++number
      const isAnswered = () => answered === ping
      yield send(target, { kind: 'ping', number: ping })
      yield { do: 'wait', ms: answerMs, until: isAnswered }
      if (!isAnswered()) {
        // The way to it may be bad, or only one message was lost: others try.
        const asked = shuffled().filter((member) => member !== target && states.get(member)?.state === 'alive')
        for (const helper of asked.slice(0, helpers)) yield send(helper, { kind: 'help', number: ping, whom: target })
        yield { do: 'wait', ms: endMs - world.now, until: isAnswered }
      }
      const known = states.get(target)
      if (!isAnswered() && known?.state === 'alive')
        hear({ ...known, state: suspicionMs > 0 ? 'suspect' : 'dead' }, true)
      yield { do: 'wait', ms: Math.max(0, endMs - world.now) }
    }
  }

  function* reply(to: string, message: Omit<Message, 'news'>): Handler<string, Message> {
    yield send(to, message)
  }

  world.run(name, probe())
  return ({ kind, number: of, whom, news }, from) => {
    for (const each of news) hear(each)
    if (kind === 'ping') return reply(from, { kind: 'answer', number: of, whom })
    if (kind === 'help' && whom !== undefined) return reply(whom, { kind: 'ping', number: of, whom: from })
    if (whom !== undefined) return reply(whom, { kind: 'answer', number: of })
    if (of === number) answered = of
    return undefined
  }
}
