import { defineConfig } from 'vitest/config'

/** One configuration for every package: `vitest run --config ../../vitest.config.ts --root .` */
export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // The tests start threads and processes; in a process of their own they cannot disturb one another.
    pool: 'forks',
    // Most files wait for the processes they have started, half of the time.
    maxWorkers: '200%',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['default', ['json', { outputFile: 'reports/tests.json' }]],
  },
})
