/** The system's Chromium: it draws diagrams and shows pages to tests. */
import { execFile } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

/** Returns the path of the browser that CHROMIUM_PATH names, or of the first one on PATH that starts. */
export async function findChromium(): Promise<string | undefined> {
  const { CHROMIUM_PATH, PATH = '' } = process.env
  const names = ['chromium', 'chromium-browser', 'google-chrome']
  const onPath = names.flatMap((name) => PATH.split(delimiter).map((folder) => join(folder, name)))
  for (const path of CHROMIUM_PATH ? [CHROMIUM_PATH] : onPath) {
    if (await promisify(execFile)(path, ['--version']).catch(() => undefined)) return path
  }
  return undefined
}

/** How to install it. */
export const installChromium = 'sudo apt-get install chromium, or name one in CHROMIUM_PATH'
