/**
 * `npm run moto`: installs moto, which stands in for EC2, Elastic Beanstalk, IAM and SSM in chapter 5, into a Python
 * environment of its own below node_modules/.cache. If MOTO_PYTHON is set, that Python's moto is used and nothing is
 * installed.
 */
import { environment, installInto, versionsIn } from './python.mjs'
import { fail, say } from './run.mjs'

const version = '5.2.5'

/** The installed version of moto, as `moto 5.2.5`; undefined if there is none. */
export function findMoto() {
  return versionsIn(process.env.MOTO_PYTHON || environment('moto').python, ['moto'])
}

async function install() {
  if (!process.env.MOTO_PYTHON) return await installInto('moto', [`moto[server]==${version}`])
  const found = findMoto()
  if (!found) fail(`MOTO_PYTHON: received "${process.env.MOTO_PYTHON}"; accepts a Python that has moto[server]`, 2)
  say(`${found}: installed`)
}

// test.mjs imports this file only to ask what is installed.
if (process.argv[1]?.endsWith('moto.mjs')) await install()
