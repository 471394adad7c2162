/** The system's Chromium: it draws diagrams and shows pages to tests. */
import { delimiter, join } from 'node:path'
import { firstInstalled } from './version.ts'

/** Returns the path of the browser that CHROMIUM_PATH names, or of the first one on PATH that starts. */
export async function findChromium(): Promise<string | undefined> {
  const { CHROMIUM_PATH, PATH = '' } = process.env
  const names = ['chromium', 'chromium-browser', 'google-chrome']
  const onPath = names.flatMap((name) => PATH.split(delimiter).map((folder) => join(folder, name)))
  return (await firstInstalled(CHROMIUM_PATH ? [CHROMIUM_PATH] : onPath))?.path
}

/** How to install it. */
export const installChromium = 'sudo apt-get install chromium, or name one in CHROMIUM_PATH'
