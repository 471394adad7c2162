import { expect, it } from 'vitest'
import { slowLink } from '../../src/local/slow-link.ts'

it.each(['https://127.0.0.1:1', 'http://s3.example.org', 'http://192.168.1.1:9000', undefined])(
  'no link is put in front of the place at %s',
  async (url) => {
    expect(await slowLink({ kind: 'endpoint', url }, 30)).toBeUndefined()
  },
)
