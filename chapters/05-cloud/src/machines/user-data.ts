/** What a new instance does when it boots for the first time: the script that EC2 calls user data. */

/** The oldest Node that bundles must run on: Elastic Beanstalk's platforms lag behind. */
export const oldestNode = 'node22'

export interface WorkerUserData {
  /** The worker as one JavaScript file, as `s3://bucket/key`. */
  code: string
  /** The worker's environment. No secrets: everybody on the instance can read it. */
  environment: Record<string, string>
  /** Minutes until the instance shuts itself down, even if nobody is left to stop it. Undefined means never. */
  endsAfterMinutes?: number | undefined
}

/**
 * A script for Amazon Linux 2023 that installs Node, fetches the worker and keeps it running as a service without
 * privileges. The script holds no key: the instance's role says what the worker may do.
 */
export function workerUserData({ code, environment, endsAfterMinutes }: WorkerUserData): string {
  // #region script
  const settings = Object.entries(environment).map(([name, value]) => ` \\\n  --setenv=${quoted(`${name}=${value}`)}`)
  const service = `systemd-run --unit=worker --property=DynamicUser=yes --property=Restart=on-failure${settings.join('')}`
  return [
    '#!/bin/bash',
    'set -euo pipefail',
    // First, so that it takes effect even if a later line fails.
    ...(endsAfterMinutes === undefined ? [] : [`shutdown -h +${endsAfterMinutes}`]),
    'dnf install -y nodejs24',
    `aws s3 cp ${quoted(code)} /opt/worker.mjs`,
    `${service} \\\n  node-24 /opt/worker.mjs`,
    '',
  ].join('\n')
  // #endregion script
}

/**
 * Reads back what a script was made of, for a process that stands in for an instance (see machines.ts).
 *
 * @throws an Error when `workerUserData` did not make the script
 */
export function readWorkerUserData(script: string): WorkerUserData {
  const word = `'((?:[^']|'\\\\'')*)'`
  const code = new RegExp(`^aws s3 cp ${word} /opt/worker\\.mjs$`, 'm').exec(script)?.[1]
  if (code === undefined) throw new Error('the user data fetches no worker')
  const minutes = /^shutdown -h \+(\d+)$/m.exec(script)?.[1]
  const environment: Record<string, string> = {}
  for (const [, setting = ''] of script.matchAll(new RegExp(`^  --setenv=${word}`, 'gm'))) {
    const [name = ''] = setting.split('=', 1)
    environment[name] = unquoted(setting.slice(name.length + 1))
  }
  return { code: unquoted(code), environment, endsAfterMinutes: minutes === undefined ? undefined : Number(minutes) }
}

/** A string as one word for the shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

const unquoted = (text: string) => text.replaceAll(`'\\''`, "'")
