/**
 * `npm run moto`: installs moto, which stands in for EC2, Elastic Beanstalk, IAM and SSM in chapter 5, into a Python
 * environment of its own below node_modules/.cache. If MOTO_PYTHON is set, that Python's moto is used and nothing is
 * installed.
 */
import { installInto, versionsIn } from './python.mjs'
import { fail, say } from './run.mjs'

const { MOTO_PYTHON } = process.env
if (MOTO_PYTHON) {
  const found = versionsIn(MOTO_PYTHON, ['moto'])
  if (!found) fail(`MOTO_PYTHON: received "${MOTO_PYTHON}"; accepts a Python that has moto[server]`, 2)
  say(`${found}: installed`)
} else await installInto('moto', ['moto[server]==5.2.5'])
