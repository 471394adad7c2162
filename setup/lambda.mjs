/**
 * `npm run lambda`: builds Amazon's Runtime Interface Emulator, behind which `serverless` of chapter 5 runs its functions,
 * below node_modules/.cache. It runs on Linux and needs Go 1.26, which a Go from 1.21 on fetches by itself.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { findCommand } from './redis.mjs'
import { fail, root, run, say } from './run.mjs'

const emulator = 'github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie'
const version = 'v0.0.0-20261030222936-bef5c4ba774d'

if (process.platform !== 'linux') fail(`Amazon's emulator runs on Linux only; serverless runs without it`)
// Where Go's makers install it; a distribution's own is often too old.
const go = ['/usr/local/go/bin/go', findCommand('go')].find((path) => path && existsSync(path))
if (!go) fail('Go 1.26 or newer is missing; serverless runs without it')
const folder = join(root, 'node_modules', '.cache', 'lambda')
say(`building Amazon's Runtime Interface Emulator into ${folder}`)
const env = { GOBIN: folder, CGO_ENABLED: '0' }
if ((await run(go, ['install', '-trimpath', `${emulator}@${version}`], { env })).code !== 0)
  fail('the emulator was not built, see above; serverless runs without it')
