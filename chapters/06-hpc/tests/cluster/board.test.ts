import { describe, expect, it } from 'vitest'
import { board, explain, summary } from '../../src/cluster/board.ts'

describe('what a reader is told', () => {
  it('says why a task failed, from its state, its exit code and its log', () => {
    const record = { task: 1, attempt: 1, state: 'failed' as const }
    expect(explain({ ...record, state: 'timed out' }, '')).toContain('walltime')
    expect(explain({ ...record, exitCode: 127 }, 'node: not found')).toBe('its program is not on the node')
    expect(explain({ ...record, exitCode: 137 }, '')).toContain('SIGKILL')
    expect(explain({ ...record, signal: '15' }, '')).toBe(
      'it was ended by SIGTERM: by somebody, or at the end of its walltime',
    )
    expect(explain({ ...record, exitCode: 1 }, 'x.mjs:1\nTypeError: no\n    at x')).toBe('it threw TypeError: no')
    expect(explain({ ...record, exitCode: 2 }, 'first\nno input\n')).toBe('it exited with 2: no input')
    expect(explain({ ...record, reason: 'Slurm does not list it' }, '')).toBe('Slurm does not list it')
  })

  it('shows a sign for each task, and counts them', () => {
    const tasks = (['completed', 'running', 'queued', 'failed'] as const).map((state, task) => ({
      task,
      state,
      attempt: 1,
      ...(state === 'running' && { node: 'n2' }),
    }))
    expect(board(tasks, 3)).toBe('█▶·\n✗')
    expect(summary(tasks)).toBe('1 failed, 1 completed, 1 running on n2, 1 queued')
    const held = { task: 0, state: 'held' as const, attempt: 1, reason: 'launch failed requeued held' }
    expect(summary([held])).toBe('1 held (launch failed requeued held)')
  })
})
