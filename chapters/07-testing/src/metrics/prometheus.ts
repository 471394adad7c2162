/** Prometheus as a child process of the example: on loopback, in a temporary folder, and gone when the example ends. */
import { execFile } from 'node:child_process'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { until } from '@repo/common/async/until'
import { progress } from '@repo/common/output/progress'
import { type Child, startServer } from '@repo/common/process/child'
import { freePort, onFreePorts } from '@repo/common/process/ports'
import { scrapeEveryMs } from './scraper.ts'

export const installPrometheus = 'sudo apt-get install prometheus (Debian, Ubuntu), brew install prometheus (macOS)'

export const rulesFile = fileURLToPath(new URL('./rules.yml', import.meta.url))
export const rulesTestFile = fileURLToPath(new URL('./rules.test.yml', import.meta.url))

/** Returns its version, such as `2.42.0`; undefined when it or promtool is not on PATH. */
export async function findPrometheus(): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await promisify(execFile)('prometheus', ['--version'])
    await promisify(execFile)('promtool', ['--version'])
    return /version ([\d.]+)/.exec(stdout + stderr)?.[1]
  } catch {
    return undefined
  }
}

/**
 * Has promtool check the rules and run their tests.
 *
 * @returns the result in a few words
 * @throws an Error with promtool's message when a rule is wrong or its test fails
 */
export async function checkRules(rules = rulesFile, tests = rulesTestFile): Promise<string> {
  const promtool = async (args: string[]) => {
    try {
      return (await promisify(execFile)('promtool', args)).stdout
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
      throw new Error(`promtool ${args.join(' ')}: ${(stdout + stderr).trim().replaceAll(/\s*\n\s*/g, '; ')}`)
    }
  }
  const checked = await promtool(['check', 'rules', rules])
  await promtool(['test', 'rules', tests])
  return `${/\d+ rules/.exec(checked)?.[0] ?? 'no rules'} checked, their tests passed`
}

export interface Prometheus extends AsyncDisposable {
  /** Returns the value of a PromQL expression over time, one point per step; if there are several series, the first. */
  range: (query: string, startMs: number, endMs: number, stepMs: number) => Promise<{ ms: number; value: number }[]>
  /** Returns the current value; undefined when there is none. */
  query: (query: string) => Promise<number | undefined>
  /** Returns the alerts that are firing now. */
  firing: () => Promise<{ name: string; summary: string }[]>
}

/**
 * Starts a Prometheus that scrapes every target in the JSON files of a folder, and waits until it has found them all.
 */
export async function startPrometheus({
  targets,
  folder,
  signal,
}: {
  targets: string
  folder: string
  signal?: AbortSignal
}): Promise<Prometheus> {
  const config = join(folder, 'prometheus.yml')
  // JSON is YAML.
  await writeFile(
    config,
    JSON.stringify({
      global: {
        scrape_interval: `${scrapeEveryMs}ms`,
        scrape_timeout: `${scrapeEveryMs}ms`,
        evaluation_interval: '500ms',
      },
      rule_files: [rulesFile],
      scrape_configs: [
        {
          job_name: 'pipeline',
          file_sd_configs: [{ files: [join(targets, '*.json')], refresh_interval: '1s' }],
          // By default the port, which is another one when a process has been started again: its series would end.
          relabel_configs: [{ source_labels: ['process'], target_label: 'instance' }],
        },
      ],
    }),
  )
  const { port, server } = await onFreePorts(async () => {
    const port = await freePort()
    const args = [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, `data-${port}`)}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]
    const ready = /Server is ready to receive web requests/
    return { port, server: await startServer({ command: 'prometheus', args, ready, signal }) }
  })
  const prometheus = client(`http://127.0.0.1:${port}`, server)
  try {
    await foundTargets(prometheus, targets, signal)
  } catch (error) {
    await prometheus[Symbol.asyncDispose]()
    throw error
  }
  return prometheus
}

/** Prometheus reads the files when it starts, but takes up to five seconds before it scrapes the targets. */
async function foundTargets(prometheus: Prometheus, targets: string, signal: AbortSignal | undefined) {
  const wanted = (await readdir(targets)).filter((file) => file.endsWith('.json')).length
  using bar = progress('Prometheus looks for its targets', wanted)
  const found = async () => {
    const up = (await prometheus.query('sum(up)')) ?? 0
    bar.update(up)
    return up >= wanted
  }
  await until(found, { everyMs: 100, timeoutMs: 60_000, signal, what: `Prometheus has found ${wanted} targets` })
}

type Sample = [seconds: number, value: string]

function client(url: string, server: Child): Prometheus {
  async function ask<Data>(path: string, parameters: Record<string, string> = {}): Promise<Data> {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    const answer = (await response.json()) as { status: string; data: Data; error?: string }
    if (answer.status !== 'success') throw new Error(`Prometheus: ${answer.error}`)
    return answer.data
  }
  return {
    async range(query, startMs, endMs, stepMs) {
      const times = { start: String(startMs / 1000), end: String(endMs / 1000), step: String(stepMs / 1000) }
      const { result } = await ask<{ result: { values: Sample[] }[] }>('query_range', { query, ...times })
      const values = result[0]?.values ?? []
      return values
        .map(([seconds, value]) => ({ ms: seconds * 1000, value: Number(value) }))
        .filter(({ value }) => Number.isFinite(value))
    },
    async query(query) {
      const { result } = await ask<{ result: { value: Sample }[] }>('query', { query })
      return result[0] && Number(result[0].value[1])
    },
    async firing() {
      type Alert = { state: string; labels: { alertname: string }; annotations: { summary: string } }
      const { alerts } = await ask<{ alerts: Alert[] }>('alerts')
      return alerts
        .filter(({ state }) => state === 'firing')
        .map(({ labels, annotations }) => ({ name: labels.alertname, summary: annotations.summary }))
    },
    [Symbol.asyncDispose]: async () => void (await server.stop()),
  }
}
