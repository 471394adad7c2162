import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSecretName, maskJson, maskPasswords } from '../../src/output/secrets.ts'

const masked = (value: unknown): unknown => JSON.parse(maskJson(JSON.stringify(value)))

describe('the password in a URL is masked', () => {
  it.each([
    ['redis://:a:b/c@d@host:1 and mail a@b.c', 'redis://:***@host:1 and mail a@b.c'],
    ['"https://u:p@h","x@y"', '"https://u:***@h","x@y"'],
    // Characters that do not belong into a URL, and that people's passwords contain all the same.
    ['redis://u:a<hunter2@h', 'redis://u:***@h'],
    ['redis://u:a"hunter2@h', 'redis://u:***@h'],
    ['"redis://u:a"hunter2@h" and more', '"redis://u:***@h" and more'],
    ['at redis://u:a hunter2@h:1 again', 'at redis://u:***@h:1 again'],
    ['redis://u: hunter2@h', 'redis://u:***@h'],
    ['"redis://u:"hunter2/@h"', '"redis://u:***@h"'],
    ['redis://u:#a hunter2:@@h', 'redis://u:***@h'],
    ['https://u:?hunter2@h', 'https://u:***@h'],
    ['https://u:a@~hunter2#b@h', 'https://u:***@h'],
    ['redis://u:@ hunter2@h', 'redis://u:***@h'],
    ['redis://:p@ss:w/or?d#x@h:1/0', 'redis://:***@h:1/0'],
    ['https://u:p/w@h', 'https://u:***@h'],
    ['redis://:http://x@h', 'redis://:***@h'],
    ['redis://u:p,q@h,redis://u:r;s@h', 'redis://u:***@h,redis://u:***@h'],
    ['redis://hunter2@h', 'redis://***@h'],
    ['https://hunter2@h/path', 'https://***@h/path'],
    ['redis://token:x@h', 'redis://token:***@h'],
    ['redis://u:@h', 'redis://u:***@h'],
    ['https://u:p@h/a@b', 'https://u:***@h/a@b'],
    ['mongodb://u:p@h1:1,h2:2/db?sslpassword=x', 'mongodb://u:***@h1:1,h2:2/db?sslpassword=***'],
    ['DATABASE_URL=postgres://u:p@h/db', 'DATABASE_URL=postgres://u:***@h/db'],
    ['https://proxy/https://u:p@h', 'https://proxy/https://u:***@h'],
  ])('%s', (text, expected) => {
    expect(maskPasswords(text)).toBe(expected)
    expect(maskPasswords(expected)).toBe(expected)
  })

  it.each([
    'redis://localhost:6379/0',
    'redis://localhost:6379, mail a@b.c',
    'https://h:8080/@scope/name',
    'http://[::1]:80/a@b',
    's3://bucket/a@b',
    'ssh://me@host',
    'http://10.0.0.1:9000,http://h:9000,me@x.org',
    'redis://10.0.0.1:1,redis://10.0.0.2:2,me@x.org',
    'http://h:1 h:x,http://h',
    'http://host:port is one',
    'redis://[user:password@]host[:port][/database]',
  ])('and %s stays as it is', (text) => {
    expect(maskPasswords(text)).toBe(text)
  })

  it('whatever it is, where a URL can hold it', () => {
    const schemes = ['redis', 'rediss', 'postgres', 'amqp', 'https', 'wss'] as const
    fc.assert(
      fc.property(fc.constantFrom(...schemes), fc.string({ minLength: 1, maxLength: 30 }), (scheme, secret) => {
        const text = `to ${scheme}://user:${encodeURIComponent(`hunter2${secret}`)}@host:1/0 again`
        expect(maskPasswords(text)).toBe(`to ${scheme}://user:***@host:1/0 again`)
      }),
    )
  })
})

describe('what is named like a secret is masked', () => {
  it.each([
    ['https://h/?password=hunter2&x=1', 'https://h/?password=***&x=1'],
    ['https://h/?x=1&access_token=a.b-c#top', 'https://h/?x=1&access_token=***'],
    ['{"password":"hunter2","a":1}', '{"password":"***","a":1}'],
    ['{"password": "hun\\"ter2\\\\", "a": 1}', '{"password": "***", "a": 1}'],
    ['said {\\"password\\":\\"hun\\\\\\"ter2\\",\\"b\\":2}', 'said {\\"password\\":\\"***\\",\\"b\\":2}'],
    ['{"token":1234,"b":{"apiKey":null}}', '{"token":***,"b":{"apiKey":null}}'],
    ['{"credentials":{"id":[1],"key":"x"},"b":2}', '{"credentials":***,"b":2}'],
    ["{ redisPassword: 'hunter2', b: 2 }", "{ redisPassword: '***', b: 2 }"],
    ['Authorization: Bearer a b\r\nHost: h', 'Authorization: ***\r\nHost: h'],
    ['x-api-key: hunter2', 'x-api-key: ***'],
    ['REDIS_PASSWORD=hunter2 node x', 'REDIS_PASSWORD=*** node x'],
    ['Server=h;Pwd=hunter2;Database=d', 'Server=h;Pwd=***;Database=d'],
    ['password = hunter2', 'password = ***'],
    ['{ secret => "hunter2" }', '{ secret => "***" }'],
    ['token:hunter2', 'token:***'],
    // Cut off in the middle.
    ['{"password":"hunt', '{"password":"***'],
    ['{"credentials":{"key":"hunt', '{"credentials":***'],
  ])('in the text %s', (text, expected) => {
    expect(maskPasswords(text)).toBe(expected)
    expect(maskPasswords(expected)).toBe(expected)
  })

  it.each([
    'refuses the password: WRONGPASS',
    'no token: log in',
    '--access-token: received nothing; accepts one',
    'tokenCount=3',
    'key=a',
    'token://a',
    '?a=b&c=d',
  ])('and %s stays as it is', (text) => {
    expect(maskPasswords(text)).toBe(text)
  })

  it('in JSON, at any depth, by the parts of the name', () => {
    const value = {
      redisPassword: 'a',
      REDIS_PASSWORD: 'b',
      PGPASSWORD: 'c',
      'x-api-key': ['d'],
      pwd: 1234,
      credentials: { user: 'e' },
      nested: [{ headers: { 'Set-Cookie': ['f'], accept: '*' } }],
      rawHeaders: ['Host', 'h', 'X-Api-Key', 'g', 'Accept', '*'],
      argv: ['node', '--password', 'h', '--verbose'],
      entries: [['authorization', 'i']],
      body: '{"client_secret":"j"}',
      url: '/?awsSecretAccessKey=k',
      auth: 'user:l',
      'redis://u:m@h': 'up',
    }
    expect(masked(value)).toEqual({
      redisPassword: '***',
      REDIS_PASSWORD: '***',
      PGPASSWORD: '***',
      'x-api-key': '***',
      pwd: '***',
      credentials: '***',
      nested: [{ headers: { 'Set-Cookie': '***', accept: '*' } }],
      rawHeaders: ['Host', 'h', 'X-Api-Key', '***', 'Accept', '*'],
      argv: ['node', '--password', '***', '--verbose'],
      entries: [['authorization', '***']],
      body: '{"client_secret":"***"}',
      url: '/?awsSecretAccessKey=***',
      auth: '***',
      'redis://u:***@h': 'up',
    })
  })

  it('and what only looks like it stays as it is', () => {
    const value = {
      tokens: 12,
      tokenCount: 3,
      token_type: 'Bearer',
      passwordFile: '/run/secrets/x',
      password: null,
      auth: true,
      pass: 3,
      author: 'me',
      compass: 'north',
      keyboard: 'de',
      key: 'a/b.txt',
      fields: ['name', 'password', 'mail'],
      command: 'ls',
    }
    expect(masked(value)).toEqual(value)
  })

  it.each([
    ['secretary', false],
    ['monkey', false],
    ['idToken', true],
    ['AWS_SECRET_ACCESS_KEY', true],
    ['oauth2Token', true],
    ['HTTPAuthorization', true],
  ])('%s: %s', (name, secret) => {
    expect(isSecretName(name)).toBe(secret)
  })
})

it('drops the arguments of a command from an error of ioredis', () => {
  const err = { message: 'WRONGPASS', command: { name: 'auth', args: ['hunter2'] } }
  expect(masked({ err })).toEqual({ err: { message: 'WRONGPASS', command: { name: 'auth' } } })
})

it('shortens headers, which strangers choose', () => {
  const headers = { accept: 'x'.repeat(100_000), cookie: 'x'.repeat(100_000), host: 'h' }
  const short = `${'x'.repeat(1_000)}… (100000 characters)`
  expect(masked({ url: '://', headers })).toEqual({ url: '://', headers: { accept: short, cookie: '***', host: 'h' } })
  expect(masked({ url: '://', rawHeaders: [headers.accept, 'a'] })).toEqual({ url: '://', rawHeaders: [short, 'a'] })
})

it('keeps numbers that JavaScript would round', () => {
  const line = '{"id":9007199254740993,"ratio":1.0,"pwd":"a"}'
  expect(maskJson(line)).toBe('{"id":9007199254740993,"ratio":1.0,"pwd":"***"}')
})

// If one of them took quadratic time, the test would end by its time limit.
it.each([
  'a://a:',
  'a://a:@',
  'a://a: ',
  'http://10.0.0.1:9000,',
  'a://a:"',
  'password=',
  'password="',
  'password={',
  '"password\\":',
  'x-token: ',
  'Aa',
  'a.',
  'a\t',
  'a\\',
  '{"',
  '@',
])('takes time proportional to the length of %j, repeated', (part) => {
  const text = part.repeat(240_000 / part.length)
  for (const long of [text, `a://token${text} me@x.org`]) {
    expect(maskPasswords(long)).toContain(long.slice(0, 2))
    expect(maskJson(JSON.stringify({ long, [long]: '://' }))).toMatch(/^\{.*\}$/)
  }
})
