import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { configDefaults, defineConfig } from 'vitest/config'
import type { Reporter } from 'vitest/node'

/** Below each package. A second run of what failed has its own. */
const reports = process.env.REPORTS ?? 'reports'

/** Keeps the errors that no test caught, which fail a run and are missing from the JSON report. */
const uncaught: Reporter = {
  onTestRunEnd(_files, errors) {
    mkdirSync(reports, { recursive: true })
    writeFileSync(`${reports}/uncaught.json`, JSON.stringify(errors.map(({ name, message }) => `${name}: ${message}`)))
  },
}

/** One configuration for every package: `vitest run --config ../../vitest.config.ts --root .` */
export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // What takes minutes, and proves once more at full size or by every way what a shorter test proves for one.
    exclude: [...configDefaults.exclude, ...(process.env.LONG_TESTS ? [] : ['tests/**/*.long.test.ts'])],
    // The tests start threads and processes; beside one another, in one process, they would disturb one another.
    pool: 'forks',
    // The files of a package share these processes, because starting one and loading the package takes longer than many of
    // them: each leaves the environment, mocks and handles as they were.
    isolate: false,
    // Vitest's own default leaves one core to itself.
    maxWorkers: availableParallelism(),
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['default', ['json', { outputFile: `${reports}/tests.json` }], uncaught],
  },
})
