import { spawnSync } from 'node:child_process'

/** A grep that knows Perl's regular expressions, as GNU grep does. */
export const gnuGrep = {
  name: 'a grep with -P',
  found: spawnSync('grep', ['-P', 'a'], { input: 'a\n' }).status === 0,
  install:
    process.platform === 'darwin' ? 'brew install grep, and its libexec/gnubin first on PATH' : 'apt-get install grep',
}
