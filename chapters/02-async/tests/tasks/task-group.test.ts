import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { type TaskGroup, taskGroup } from '../../src/tasks/task-group.ts'

/** A task that ends when its signal is aborted, and notes that it has. */
function endless(ended: string[], name: string) {
  return async (signal: AbortSignal) => {
    try {
      await delay(60_000, undefined, { signal })
    } finally {
      // Cleaning up takes a while too, and the group waits for it.
      await delay(5)
      ended.push(name)
    }
  }
}

describe('a task group', () => {
  it('returns what its body returns, after all of its tasks', async () => {
    const done: number[] = []
    const result = await taskGroup(async (group) => {
      group.run(() => delay(10).then(() => done.push(1)))
      return await group.run(async () => 'result')
    })
    expect({ result, done }).toEqual({ result: 'result', done: [1] })
  })

  it('cancels the siblings of a task that fails, and waits for them', async () => {
    const ended: string[] = []
    const group = taskGroup(async (group) => {
      group.run(endless(ended, 'a'))
      group.run(endless(ended, 'b'))
      await group.run(() => Promise.reject(new Error('failed')))
    })
    // As its value: `toThrow` is content with undefined.
    expect(await group.catch((error: unknown) => error)).toEqual(new Error('failed'))
    expect(ended.sort()).toEqual(['a', 'b'])
  })

  it('waits for the tasks that its tasks start', async () => {
    const done: string[] = []
    await taskGroup(async (group) => {
      const start = async (left: number) => {
        await delay(1)
        if (left > 0) group.run(() => start(left - 1))
        done.push(`task ${left}`)
      }
      group.run(() => start(3))
    })
    expect(done).toEqual(['task 3', 'task 2', 'task 1', 'task 0'])
  })

  it.each<[string, (reason: Error) => unknown, number]>([
    ['the reason itself', (reason) => reason, 0],
    ['an error with the reason as its cause', (cause) => new Error('stopped', { cause }), 0],
    ['an AbortError', () => new DOMException('stopped', 'AbortError'), 0],
    ['another error', () => new Error('stopped'), 1],
    ['no error at all', () => 'stopped', 1],
  ])('counts what a cancelled task throws as a failure of its own or not: %s', async (_, thrown, counts) => {
    const failing = taskGroup(async (group) => {
      group.run(async (signal) => {
        await delay(60_000, undefined, { signal }).catch(() => {})
        throw thrown(signal.reason)
      })
      await group.run(() => Promise.reject(new Error('first')))
    })
    const error = await failing.catch((reason: unknown) => reason)
    const errors = error instanceof AggregateError ? error.errors : [error]
    expect(errors[0]).toEqual(new Error('first'))
    expect(errors.length).toBe(1 + counts)
  })

  it('does so even when nothing awaits the task', async () => {
    const ended: string[] = []
    const group = taskGroup(async (group) => {
      group.run(() => Promise.reject(new Error('unseen')))
      await group.run(endless(ended, 'a'))
    })
    await expect(group).rejects.toThrow('unseen')
    expect(ended).toEqual(['a'])
  })

  it('gathers the errors of several', async () => {
    const failing = taskGroup(async (group) => {
      group.run(() => Promise.reject(new Error('first')))
      group.run(async (signal) => {
        await delay(60_000, undefined, { signal }).catch(() => {})
        throw new Error('while cleaning up')
      })
    })
    const error = await failing.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(AggregateError)
    expect((error as AggregateError).errors.map(({ message }) => message)).toEqual(['first', 'while cleaning up'])
  })

  it('cancels its tasks when its body fails, and starts no more', async () => {
    const ended: string[] = []
    let late: Promise<unknown> | undefined
    const group = taskGroup(async (group) => {
      group.run(endless(ended, 'a'))
      group.signal.addEventListener('abort', () => {
        late = group.run(endless(ended, 'late')).catch((error: Error) => error.name)
      })
      throw new Error('the body')
    })
    await expect(group).rejects.toThrow('the body')
    expect(ended).toEqual(['a'])
    expect(await late).toBe('GroupCancelled')
  })

  it('ends when the caller cancels it, with the caller’s reason', async () => {
    const ended: string[] = []
    const controller = new AbortController()
    const group = taskGroup(
      async (group) => {
        group.run(endless(ended, 'a'))
        controller.abort(new Error('no longer wanted'))
      },
      { signal: controller.signal },
    )
    await expect(group).rejects.toThrow('no longer wanted')
    expect(ended).toEqual(['a'])
    let began = false
    const late = taskGroup(async () => (began = true), { signal: controller.signal })
    await expect(late).rejects.toThrow('no longer wanted')
    expect(began).toBe(false)
  })

  it('starts nothing once it has ended', async () => {
    let kept: TaskGroup | undefined
    await taskGroup(async (group) => {
      kept = group
    })
    expect(() => kept?.run(async () => 1)).toThrow('the group has ended')
  })

  it('can be nested', async () => {
    const ended: string[] = []
    const outer = taskGroup(async (group) => {
      group.run((signal) => taskGroup(async (inner) => void inner.run(endless(ended, 'inner')), { signal }))
      await group.run(() => Promise.reject(new Error('outer')))
    })
    await expect(outer).rejects.toThrow('outer')
    expect(ended).toEqual(['inner'])
  })
})
