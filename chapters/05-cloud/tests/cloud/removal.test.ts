/** Removing things each by itself, with kinds that the test makes up. EC2's are in tests/machines. */
import { describe, expect, it } from 'vitest'
import { describeLeft, findEach, type Kind, removeEach } from '../../src/cloud/removal.ts'

const named = (name: string, message = 'from the test') => Object.assign(new Error(message), { name })

/** Things that are removed, unless `refuse` says why not. */
function kindOf(things: string[], refuse: (name: string) => string | undefined = () => undefined) {
  const there = new Set(things)
  return {
    there,
    find: async () => [...there],
    async remove(name: string) {
      const why = refuse(name)
      if (why) throw named(why)
      there.delete(name)
    },
  } satisfies Kind & { there: Set<string> }
}
const denied: Kind = {
  find: async () => {
    throw named('AccessDenied', 'may not')
  },
  remove: async () => {},
}

describe('removing each by itself', () => {
  it('goes on where a service cannot be asked and where one thing stays, and says what is left', async () => {
    const volumes = kindOf(['a', 'b', 'c'], (name) => (name === 'b' ? 'OperationNotPermitted' : undefined))
    const queues = kindOf(['q'])
    const { removed, left } = await removeEach({ denied, volumes, queues })
    expect(removed).toEqual({ denied: [], volumes: ['a', 'c'], queues: ['q'] })
    expect(left).toEqual([
      { kind: 'denied', why: 'may not' },
      { kind: 'volumes', name: 'b', why: 'from the test' },
    ])
    expect(describeLeft(left)).toBe('denied not asked: may not; volumes b: from the test')
    expect(await findEach({ denied, volumes })).toEqual({
      found: { denied: [], volumes: ['b'] },
      notAsked: [{ kind: 'denied', why: 'may not' }],
    })
  })

  it.each(['InvalidVolume.NotFound', 'NoSuchEntityException', 'QueueDoesNotExist', 'NoSuchBucket'])(
    'takes for gone what is %s: somebody else was faster',
    async (name) => {
      const { removed, left } = await removeEach({ things: kindOf(['x'], () => name) })
      expect({ removed, left }).toEqual({ removed: { things: ['x'] }, left: [] })
    },
  )

  it('tries again what is in use, and finds what was not yet listed', async () => {
    const instances = kindOf(['first'])
    // As after a launch whose answer was lost: in the list only later.
    const groups = kindOf(['group'], () => {
      if (!instances.there.has('late') && groups.there.size === 1 && tries++ === 0) instances.there.add('late')
      return instances.there.size > 0 ? 'DependencyViolation' : undefined
    })
    let tries = 0
    const { removed, left } = await removeEach({ instances, groups }, { everyMs: 1 })
    expect({ removed, left }).toEqual({ removed: { instances: ['first', 'late'], groups: ['group'] }, left: [] })
  })

  it('gives up what stays in use, and all of it when interrupted', async () => {
    const groups = kindOf(['group'], () => 'DependencyViolation')
    const { left } = await removeEach({ groups }, { patienceMs: 20, everyMs: 5 })
    expect(left).toEqual([{ kind: 'groups', name: 'group', why: 'from the test' }])
    const interruption = new AbortController()
    const removing = removeEach({ groups }, { signal: interruption.signal, everyMs: 5 })
    interruption.abort(new Error('Ctrl-C'))
    await expect(removing).rejects.toThrow(/Ctrl-C|aborted/)
  })
})
