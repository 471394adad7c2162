import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** One configuration for every package: `vitest run --config ../../vitest.config.ts --root .` */
export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // The tests start threads and processes; in a process of their own they cannot disturb one another.
    pool: 'forks',
    // Most files wait for the processes they have started, a third of the time. Vitest takes '150%' for 100 %.
    maxWorkers: Math.ceil(1.5 * availableParallelism()),
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['default', ['json', { outputFile: 'reports/tests.json' }]],
  },
})
