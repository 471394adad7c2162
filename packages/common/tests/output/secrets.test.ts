import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isSecretName, maskJson, maskPasswords, shownUrl, shownVariable } from '../../src/output/secrets.ts'

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
    // Without its scheme, without its host, and written for another language or as a parameter.
    ['u:hunter2@127.0.0.1:6379', 'u:***@127.0.0.1:6379'],
    ['redis://:hunter2', 'redis://:***'],
    ['redis://u:hunter2', 'redis://u:***'],
    // Cut off before its host.
    ['received "https://u:hunter…"', 'received "https://u:***"'],
    ['redis:\\/\\/u:hunter2@h', 'redis:\\/\\/u:***@h'],
    ['https://h/?url=redis%3A%2F%2Fu%3Ahunter2%40h', 'https://h/?url=redis%3A%2F%2F***%40h'],
    ['//u:hunter2@h/path', '//u:***@h/path'],
    ['redis:u:hunter2@h:6379', 'redis:u:***@h:6379'],
    ['u:hunter2@tcp(127.0.0.1:3306)/db', 'u:***@tcp(127.0.0.1:3306)/db'],
    ['jdbc:oracle:thin:u/hunter2@//h:1521/x', 'jdbc:oracle:thin:u/***@//h:1521/x'],
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
    'redis://host:port',
    'redis://h:6379: connection refused',
    'npm:@scope/x@1 and cc:bob@example.com',
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
    // A header extends to the end of its line, or to the end of the text in which it is quoted.
    ['Cookie: theme="dark"; sid=hunter2', 'Cookie: ***'],
    ['Authorization: Digest username="u", response="hunter2"', 'Authorization: ***'],
    ['curl -H \'Cookie: a="b"; c=d\' https://h', "curl -H 'Cookie: ***' https://h"],
    // Other spellings.
    ['user[password]=hunter2&password[]=hunter2', 'user[password]=***&password[]=***'],
    ['?password%3Dhunter2', '?password%3D***'],
    ['"password":\n"hunter2"', '"password":\n"***"'],
    ["password=b'hunter2'", "password=b'***'"],
    ['<password>hunter2</password>', '<password>***</password>'],
    ['SSHPASS=hunter2 GITHUB_PAT=hunter2 &sig=hunter2', 'SSHPASS=*** GITHUB_PAT=*** &sig=***'],
    // YAML.
    ['user: u\npassword: hunter2\napiKey: hunter2', 'user: u\npassword: ***\napiKey: ***'],
    ['- token: hunter2', '- token: ***'],
    ['{ user: u, password: hunter2 }', '{ user: u, password: *** }'],
    // Commands.
    ["x --password hunter2 --api-key 'hunter2'", "x --password *** --api-key '***'"],
    ['Command failed: redis-cli -h h -a hunter2 ping', 'Command failed: redis-cli -h h -a *** ping'],
    ['requirepass hunter2\nmasterauth "hunter2"', 'requirepass ***\nmasterauth "***"'],
    ['AUTH hunter2 and AUTH default hunter2', 'AUTH *** and AUTH default ***'],
    [
      'the -----BEGIN OPENSSH PRIVATE KEY-----\na\nb\n-----END OPENSSH PRIVATE KEY----- ends',
      'the -----BEGIN OPENSSH PRIVATE KEY-----***-----END OPENSSH PRIVATE KEY----- ends',
    ],
    ['-----BEGIN PRIVATE KEY-----\nhunt', '-----BEGIN PRIVATE KEY-----***'],
    [
      '-----BEGIN PGP PRIVATE KEY BLOCK-----\na\n-----END PGP PRIVATE KEY BLOCK-----',
      '-----BEGIN PGP PRIVATE KEY BLOCK-----***-----END PGP PRIVATE KEY BLOCK-----',
    ],
    ['---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\na', '---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----***'],
    // All of it, where it has a blank, a quote or a line end.
    ['Authorization=Bearer hunter2 path=/', 'Authorization=*** path=/'],
    ['Cookie=a=1; sid=hunter2 status=200', 'Cookie=*** status=200'],
    ['cookies: a=1; sid=hunter2', 'cookies: ***'],
    ["password='it''s hunter2'", "password='***'"],
    ['password="" user="u"', 'password="" user="u"'],
    ['token = """hunter2"""', 'token = "***"'],
    ['"{""password"":""hunter2""}"', '"{""password"":""***""}"'],
    ['password=hun"ter2', 'password=***'],
    ['password\u00a0=\u00a0hunter2', 'password\u00a0=\u00a0***'],
    ['passwords[0]=hunter2', 'passwords[0]=***'],
    ['password: hunter2 # ours', 'password: *** # ours'],
    ['password: !!str hunter2\na: 1', 'password: ***\na: 1'],
    ['password: |\n  hunter2\n  hunter2\na: 1', 'password: ***\na: 1'],
    // What has no name.
    ['sent Authorization Bearer hunter2', 'sent Authorization Bearer ***'],
    ['said Basic dXNlcjpwYXNz', 'said Basic ***'],
    ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl.', 'jwt ***.'],
    [`ghp_${'a1'.repeat(18)} glpat-${'a1'.repeat(10)}`, '*** ***'],
    ['xoxb-1234567890-abc, sk_live_abcdef123456', '***, ***'],
    ['https://h/login;jsessionid=hunter2', 'https://h/login;jsessionid=***'],
    // Commands with a user, or with short options.
    ['AUTH ann hunter2', 'AUTH *** ***'],
    ['HELLO 3 AUTH ann hunter2 SETNAME x', 'HELLO 3 AUTH *** *** SETNAME x'],
    ['MIGRATE h 6379 k 0 100 AUTH2 ann hunter2', 'MIGRATE h 6379 k 0 100 AUTH2 *** ***'],
    ['ACL SETUSER ann on >hunter2 ~* +@all', 'ACL SETUSER ann on >*** ~* +@all'],
    ['user ann on #hunter2 ~*', 'user ann on #*** ~*'],
    ['Command failed: sshpass -p hunter2 ssh h', 'Command failed: sshpass -p *** ssh h'],
    ['mysql -u root -phunter2 db', 'mysql -u root -p*** db'],
    ['curl -sS -u ann:hunter2 https://h', 'curl -sS -u *** https://h'],
    ['docker login -u ann -p hunter2 h', 'docker login -u ann -p *** h'],
    ["ALTER ROLE u PASSWORD 'hunter2'", "ALTER ROLE u PASSWORD '***'"],
    ['IDENTIFIED BY "hunter2"', 'IDENTIFIED BY "***"'],
    ['machine h login u password hunter2', 'machine h login u password ***'],
    ['<add key="password" value="hunter2"/>', '<add key="password" value="***"/>'],
    ['<Password a="b"><![CDATA[hunter2]]></Password>', '<Password a="b"><![CDATA[***</Password>'],
    ['{"ParameterKey":"DbPassword","ParameterValue":"a"}', '{"ParameterKey":"DbPassword","ParameterValue":"***"}'],
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
    'key: value',
    'the password: it must have 8 characters',
    'password: it must have 8 characters',
    'ERR AUTH <password> called without any password configured',
    'NOAUTH Authentication required',
    'git commit -a -m x',
    'signal: SIGTERM, path=/a, pattern=b',
    'WWW-Authenticate: Bearer realm="x", error="invalid_token"',
    'Basic example2 and the Bearer token expired',
    'tokens: 12, max_tokens=100, tokens_used=3',
    'NextContinuationToken=MTIz&continuation-token=MTIz',
    'fencingToken=33',
    'user ann has >5 jobs',
    'AUTH <user> <password>',
    'docker run -p 80:80 x',
    'the login of ann',
    '// host: a and //h:80/@scope/x',
    'eyJ.a.b and a ghp_short',
    '{"name":"host","value":"h"}',
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
      '?token=n': 'up',
      list: [
        { name: 'authorization', value: 'o' },
        { key: 'Cookie', value: 'p' },
        { OptionName: 'DB_PASSWORD', Value: 'x' },
        { ParameterKey: 'Password', ParameterValue: 'y' },
        { name: 'host', value: 'q' },
      ],
      commands: [
        ['AUTH', 'default', 'r'],
        ['redis-cli', '-a', 's'],
        ['ACL', 'SETUSER', 'u', 'on', '>z', '~*'],
        ['x', 'CONFIG', 'SET', 'requirepass', 't'],
      ],
      cmd: { name: 'auth', args: ['u'] },
      command: 'AUTH v',
      tls: { key: '-----BEGIN PRIVATE KEY-----w' },
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
      '?token=***': '***',
      list: [
        { name: 'authorization', value: '***' },
        { key: 'Cookie', value: '***' },
        { OptionName: 'DB_PASSWORD', Value: '***' },
        { ParameterKey: 'Password', ParameterValue: '***' },
        { name: 'host', value: 'q' },
      ],
      commands: [
        ['AUTH', '***', '***'],
        ['redis-cli', '-a', '***'],
        ['ACL', 'SETUSER', 'u', 'on', '>***', '~*'],
        ['x', 'CONFIG', 'SET', 'requirepass', '***'],
      ],
      cmd: { name: 'auth' },
      command: 'AUTH ***',
      tls: { key: '-----BEGIN PRIVATE KEY-----***' },
    })
  })

  it('and what only looks like it stays as it is', () => {
    const value = {
      tokens: 12,
      tokens_used: 12,
      NextToken: 'x',
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
    ['primaryKey', false],
    ['publicKey', false],
    ['sacred', false],
    ...'passPhrase PassWord sshKey authKey deployKey sasKey storageKey aesKey encKey clientKey passKey pw creds cred bearer'
      .split(' ')
      .map((name): [string, boolean] => [name, true]),
    ['authHeader', true],
    ['sig', true],
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

it('shortens everything else that is long, with or without a secret', () => {
  const long = 'x'.repeat(100_000)
  const short = `${'x'.repeat(10_000)}… (100000 characters)`
  expect(masked({ headers: { accept: long } })).toEqual({
    headers: { accept: short.slice(0, 1_000) + short.slice(10_000) },
  })
  expect(masked({ req: { url: long }, userAgent: long })).toEqual({ req: { url: short }, userAgent: short })
  expect(maskJson(JSON.stringify({ [long]: 1 })).length).toBeLessThan(1_100)
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`h${at}`, 'x']))
  expect(Object.keys((masked({ headers: many }) as { headers: object }).headers)).toHaveLength(100)
  expect((masked({ rawHeaders: Object.entries(many).flat() }) as { rawHeaders: unknown[] }).rawHeaders).toHaveLength(
    200,
  )
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
  'a:b@',
  'a://a\\/',
  '--token ',
  '--token "',
  'requirepass "',
  'redis-cli ',
  '<token>',
  '-----BEGIN PRIVATE KEY-----',
  'a%3A%2F%2F',
  'token[\n',
  'token:\n',
  '{ "',
  '"Cookie: ',
  'eyJaaaaa.',
  'Bearer a',
  'AUTH a ',
  'SETUSER a >',
  'curl -u',
  'login a password ',
  '<token a',
  'name="password" ',
  '//a:',
  'token=""',
  '""token"":""a',
  'Cookie=a; b=',
  'token: |\n  a\n',
])('takes time proportional to the length of %j, repeated', (part) => {
  const text = part.repeat(120_000 / part.length)
  for (const long of [text, `a://token${text} me@x.org`]) {
    expect(maskPasswords(long)).toContain(long.slice(0, 2))
    expect(maskJson(JSON.stringify({ long, [long]: '://' }))).toMatch(/^\{.*\}$/)
  }
})

it.each([
  ['redis://ann:sesame@host:6379/0', 'redis://ann:***@host:6379/0'],
  ['https://sesame@host/x', 'https://***@host/x'],
  ['http://host:4318/v1?token=sesame&page=2', 'http://host:4318/v1?token=***&page=2'],
  ['http://localhost:4318', 'http://localhost:4318'],
  ['localhost:4318', 'localhost:4318'],
  ['tempo', 'tempo'],
  ['redis//ann:sesame@host', '***'],
  ['redis:/ann:sesame@host', '***'],
  ['http//ann:sesame@host', '***'],
  ['//ann:sesame@host', '***'],
  ['ann:sesame@host:6379', '***'],
  ['rediss:ann:sesame@host:6379', '***'],
  ['redis://ann:ses ame@ho st:6379', '***'],
  ['sesame@host', '***'],
  ['', '***'],
])('shows of %j, as a URL, %j', (text, shown) => {
  expect(shownUrl(text)).toBe(shown)
})

it.each([
  ['REDIS_URL', 'redis//ann:sesame@host', '***'],
  ['HTTPS_PROXY', 'http://ann:sesame@proxy:3128', 'http://ann:***@proxy:3128'],
  ['API_TOKEN', 'sesame', '***'],
  ['HOME', '/home/ann/token=sesame', '/home/ann/token=***'],
  ['NODE_OPTIONS', '--title=token=sesame --max-old-space-size=64', '--title=token=*** --max-old-space-size=64'],
  ['NODE_OPTIONS', '--require http//ann:sesame@host/x', '--require http//ann:***@host/x'],
  ['NODE_OPTIONS', '--import file:///node_modules/@scope/x.mjs', '--import file:///node_modules/@scope/x.mjs'],
  ['TZ', 'Pacific/Apia', 'Pacific/Apia'],
])('shows of the variable %s=%s %j', (name, value, shown) => {
  expect(shownVariable(name, value)).toBe(shown)
})
