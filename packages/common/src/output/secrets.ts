/**
 * Keeps secrets out of what is printed and logged: the passwords in URLs, and the values of what is named like a secret.
 *
 * A stranger may have chosen the text, and the program stands still while it is masked. So every step takes time
 * proportional to the text's length. In case of doubt a step masks more.
 */

const mask = '***'

/** Masks the secrets in a text: `redis://user:***@host:6379/0`, `?token=***`, `{"password":"***"}`, `Cookie: ***`. */
export function maskPasswords(text: string): string {
  const noKeys = text.replaceAll(privateKey, `$1${mask}$2`).replaceAll(token, mask).replaceAll(bearer, `$1${mask}`)
  return maskAssignments(maskArguments(maskUrls(noKeys)))
}

/** A host, and perhaps a port and a path. */
const plainPlace = /^[\w.-]{1,64}(:\d{1,5})?(\/[\w./-]{0,200})?$/

/**
 * Returns what may be shown of a URL: no password, no user without one, and no secret in its path or query. In a text that
 * is no URL of a host nobody knows where the password is: unless it is a plain `host:port`, nothing is shown.
 */
export function shownUrl(text: string): string {
  const isUrl = /^[a-z][a-z\d+.-]*:\/\//i.test(text) && URL.parse(text)?.host
  return isUrl ? maskPasswords(text) : plainPlace.test(text) ? text : mask
}

/** Returns what may be shown of an environment variable. */
export function shownVariable(name: string, value: string): string {
  if (isSecretName(name)) return mask
  if (/(url|uri|dsn|endpoint|proxy)$/i.test(name)) return shownUrl(value)
  return maskPasswords(value).replaceAll(/(?<=[\w-]:)[^\s:/@]+(?=@[\w[])/g, mask)
}

/** Of OpenSSL, OpenSSH, PGP and SSH2. */
const privateKey =
  /(-{4,5} ?BEGIN [A-Z\d ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5})[\s\S]*?(-{4,5} ?END [A-Z\d ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}|$)/g
/** What is a secret by its own form, without a name: a JSON Web Token, and the tokens of GitHub, GitLab, Slack, Stripe, npm. */
const token =
  /(?<![\w-])(?:eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*|gh[oprsu]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[a-z]-[\w-]{10,}|[rs]k_(?:live|test)_\w{10,}|npm_\w{30,})/g
/** The word after it is a secret when no language has it: with a digit, or with a capital letter in the middle. */
const bearer =
  /\b((?:(?:[Bb]earer|BEARER)[ \t]+(?=[A-Za-z.~+/_-]*(?:\d|[a-z][A-Z]))|Basic[ \t]+(?=[\d/+a-zA-Z]*[a-z\d][A-Z])))[\w.~+/-]{6,}={0,2}(?!=)/g

/** Masks all secrets in a line of JSON, at any depth, and shortens long texts. All else keeps its value. */
export function maskJson(line: string): string {
  if (line.length <= maxHeaderLength && !mayHoldSecret.test(line)) return line
  const clean = JSON.parse(line, (key: string, value: unknown, { source }: { source?: string } = {}) => {
    if (isSecretName(key, value)) return mask
    if (isCommand(key, value)) return { name: value.name }
    if (/headers?$|^rawTrailers$/i.test(key)) return bounded(value)
    if (typeof value === 'string') return maskPasswords(shortened(value, maxTextLength))
    // JavaScript would round it.
    if (typeof value === 'number' && source !== undefined && String(value) !== source) return rawJson(source)
    return Array.isArray(value) ? maskPairs(value) : maskNames(value)
  })
  return JSON.stringify(clean) + (line.endsWith('\n') ? '\n' : '')
}

/** Masks the passwords in an object's names, as in `{ 'redis://u:p@host': 'up' }`, and the value of a secret's name. */
function maskNames(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const isNamed = isNamedSecret(value)
  if (!isNamed && !Object.keys(value).some((name) => name.length > maxHeaderLength || mayNameSecret.test(name))) {
    return value
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [
      maskPasswords(shortened(name, maxHeaderLength)),
      isNamed && valueField.test(name) ? mask : each,
    ]),
  )
}

/** Whether it is one as in `{ name: 'authorization', value: 'Bearer …' }`; AWS writes `ParameterKey`, `OptionName`, `Value`. */
function isNamedSecret(value: object): boolean {
  const fields = Object.entries(value)
  const [, secret] = fields.find(([field]) => valueField.test(field)) ?? []
  return fields.some(([field, name]) => nameField.test(field) && typeof name === 'string' && isSecretName(name, secret))
}

const nameField = /^(parameter|option)?(name|key)$/i
const valueField = /^(parameter)?value$/i

const mayNameSecret = /[:=]/

/** ioredis puts the command into an error, with all its arguments: those of a refused AUTH are the password. */
function isCommand(key: string, value: unknown): value is { name: unknown } {
  if (typeof value !== 'object' || value === null || !('args' in value && 'name' in value)) return false
  return key === 'command' || /^(auth|hello|config|acl|migrate)$/i.test(String(value.name))
}

/** The longest header that is logged whole, and how many of them are. Strangers choose what stands in headers. */
const maxHeaderLength = 1_000
const maxHeaders = 100
/** The longest other text that is logged whole. A URL is chosen by a stranger, too. */
const maxTextLength = 10_000

function shortened(text: string, length: number): string {
  if (text.length <= length) return text
  // It may have been shortened already, as any text.
  const said = /… \(\d+ characters\)$/.exec(text.slice(-40))?.[0]
  return text.slice(0, length) + (said ?? `… (${text.length} characters)`)
}

/** Shortens the texts in a header, in an object of headers or in a list of them. */
function bounded(value: unknown): unknown {
  if (typeof value === 'string') return shortened(value, maxHeaderLength)
  if (Array.isArray(value)) return maskPairs(value.slice(0, 2 * maxHeaders).map(bounded))
  if (typeof value !== 'object' || value === null) return value
  const headers = Object.entries(value).slice(0, maxHeaders)
  return Object.fromEntries(headers.map(([name, each]) => [shortened(name, maxHeaderLength), bounded(each)]))
}

/** TypeScript does not declare this function yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON: (text: string) => unknown }

/** What every line with a secret contains, and the name of every secret: most lines and names need no closer look. */
const mayHoldSecret =
  /:\/\/|%3A|@|pass|pwd|pw(?![a-z])|secret|token|key|auth|cookie|cred|sig|jwt|bearer|basic|eyJ|gh[oprsu]_|_pat_|glpat-|xox|[rs]k_|npm_|sess|identified|setuser|curl|mysql|docker|pat(?![a-z])|"-a"|-a /i

/**
 * Words that name a secret, also as the end of a longer word, `accesstoken` or `PGPASSWORD`, or in two parts: `passPhrase`,
 * `x-api-key`.
 */
const secretWord =
  /(password|passwd|passphrase|passcode|(ssh|db|pg|mysql|redis|require)pass|secret|token|cookie|credential|signature|masterauth|authheader|sess(ion)?id)s?$|(api|access|private|secret|account|shared|master|signing|encryption|enc|aes|ssh|sas|auth|deploy|storage|client|pass)keys?$|^(pwd?|creds?|bearer|sig|pat|authorization|jwt)$/
/** What follows the word in the name of something else: `tokenCount`, `password_file`. */
const harmlessEnd = /^(counts?|length|size|limit|type|name|file|path|bucket|expiry|expires|ttl|ms|policy|required)$/

/** They say where a list goes on, who may write, and what is given up. Nobody gets in with them. */
const harmlessToken = /(continuation|next|page|fencing|cancel|cancellation)tokens?$/

/** Whether a name, seen in its parts, says that the value is secret: `redisPassword`, `REDIS_PASSWORD`, `x-api-key`. */
export function isSecretName(name: string, value: unknown = ''): boolean {
  if (value === null || value === undefined || typeof value === 'boolean' || !mayHoldSecret.test(name)) return false
  const parts = name
    .slice(-maxNameLength)
    .split(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z]+/)
    .map((part) => part.toLowerCase())
    .filter((part) => part !== '')
  const last = parts.at(-1) ?? ''
  if (harmlessEnd.test(last) || harmlessToken.test(parts.join(''))) return false
  // `tokens: 12` and `tokens_used=12` are numbers of them, `auth: true` and `pass: 3` are results.
  const isNumber = typeof value === 'number' || /^\d+[,;]?$/.test(String(value))
  if (isNumber && parts.some((part) => /^(tokens|cookies|signatures|secrets|credentials)$/.test(part))) return false
  if (typeof value !== 'number' && (last === 'auth' || last === 'pass')) return true
  return parts.some((part, at) => secretWord.test(part) || secretWord.test((parts[at - 1] ?? '') + part))
}

const maxNameLength = 200

/** Masks, in a list such as Node's `rawHeaders` or a command line, what follows the name of a secret. */
function maskPairs(list: unknown[]): unknown[] {
  // Redis's command, perhaps with a user.
  if (/^auth$/i.test(String(list[0]))) return [list[0], ...list.slice(1).map(() => mask)]
  if (list.some((item) => /^setuser$/i.test(String(item)))) {
    return list.map((item) => (typeof item === 'string' && /^[<>#]./.test(item) ? item.charAt(0) + mask : item))
  }
  return list.map((item, at) => {
    const before: unknown = list[at - 1]
    if (typeof before !== 'string' || typeof item !== 'string') return item
    if (/^(-a|requirepass|masterauth)$/i.test(before)) return mask
    // In a list of words, such as the names of fields, a word is not the value of the one before.
    return isSecretName(before) && (at % 2 === 1 || before.startsWith('-')) ? mask : item
  })
}

/** Schemes of URLs whose user is not secret and whose path may contain an @. */
const isWeb = /^(https?|wss?)$/i
/** Schemes of URLs that never contain a password. */
const hasNoPassword = /^(ssh|sftp|scp|rsync|git|git\+ssh|mailto)$/i

/** A URL that begins with a host, and perhaps a port, has no password. */
const isServer = /^(\[[^\]]*\]|[^:/?#]*)(:\d+)?([/?#]|$)/

/** What follows the last @ is a host, or several. */
const endsWithHost = /@(\[[^\]]*\]|[\w.-]+)(:\d+)?([^\w.:@-][^@]*)?$/

function maskUrls(text: string): string {
  let clean = ''
  let done = 0
  const beginnings = [...text.matchAll(/(?<![a-z\d+.-])([a-z\d+.-]+):\\{0,9}\/\\{0,9}\//gi)]
    // One that follows a colon or an @ without a gap is part of the URL before it: of its password.
    .filter(({ index }) => !/[:@]/.test(text.charAt(index - 1)))
  for (const [at, { 0: opening, 1: scheme = '', index }] of beginnings.entries()) {
    const from = index + opening.length
    const rest = text.slice(from, beginnings[at + 1]?.index)
    const url = rest.slice(0, lengthOfUrl(rest, text.charAt(index - 1)))
    clean += text.slice(done, from) + maskUser(scheme, url)
    done = from + url.length
  }
  clean += text.slice(done)
  return [encodedUser, userOfNoUrl, userOfOtherUrl].reduce((text, user) => text.replaceAll(user, `$1${mask}`), clean)
}

/** As a parameter of another URL: `redis%3A%2F%2Fuser%3Apassword%40host`. */
const encodedUser = /(%3A%2F%2F)(?:(?!%40|%2F)[^\s&"'])+(?=%40)/gi
/** Where somebody forgot the scheme or its slashes: `user:password@host:6379`. Go's driver of MySQL wants `@tcp(host:3306)`. */
const userOfNoUrl =
  /(?<![\w.:/@-])((?:[a-z][a-z\d+.-]*:\/?)?[\w.-]*:)[^\s:/@"'`]+(?=@(?:(?:[\w.-]+|\[[\da-f:]{2,39}\]):\d|(?:tcp|unix)\())/gi
/** `//user:password@host`, and what Oracle's driver of JDBC wants. */
const userOfOtherUrl = /((?<![\w:/\\])\/\/[\w.%~+-]*:|\bjdbc:oracle:\w+:[\w.]+\/)[^\s/@"'`]+(?=@)/gi

/**
 * Returns where a URL ends: at a blank or at the quote in which it stands. A password may contain these; what comes before
 * them is then no URL, and an @ follows soon.
 */
function lengthOfUrl(rest: string, before: string): number {
  const end = before === '"' ? /[\s"]/ : before === "'" ? /[\s']/ : before === '`' ? /[\s`]/ : /\s/
  const length = rest.search(end)
  if (length < 0) return rest.length
  const url = rest.slice(0, length)
  if (isServer.test(url) || endsWithHost.test(url)) return length
  const soon = /^[^\r\n@]{1,100}@/.exec(rest.slice(length))?.[0].length
  if (soon === undefined) return length
  const after = rest.slice(length + soon).search(end)
  return after < 0 ? rest.length : length + soon + after
}

/** Masks the password of a URL without its `scheme://`; a user without a password may be one, as in `redis://secret@host`. */
function maskUser(scheme: string, url: string): string {
  const end = endOfUser(scheme, url)
  if (end < 0) return url.replace(noPort, `$1${mask}`)
  const colon = url.slice(0, end).indexOf(':')
  if (colon < 0) return hasNoPassword.test(scheme) ? url : mask + url.slice(end)
  return url.slice(0, colon + 1) + mask + url.slice(end)
}

/** What follows the colon in `redis://user:password`, where somebody forgot the host. */
const noPort = /^([^:/?#@[\]\s]*:)(?!\d{1,5}(?!\w)|\*|[[<{$]|port\b)[^/?#@\s"'`,;)]+(?![^/?#\s"'`,;)])/i

/** Returns the index of the @ behind the user and the password; −1 if there is none. */
function endOfUser(scheme: string, url: string): number {
  const last = url.lastIndexOf('@')
  // A URL, or how to write one: `redis://[user:password@]host`.
  if (last < 0 || /^\[[^\]@]*@\]/.test(url)) return -1
  // A list of servers, and a mail address behind it.
  if (/^([^:@]*):\d{1,5}[,;>)\]}'|]/.test(url) && /^@[\w-]+(\.[\w-]+)+\W*$/.test(url.slice(last))) {
    if (isWeb.test(scheme) || /^(localhost|[\d.]+|\[)/.test(url)) return -1
  }
  const authority = /^[^/?#]*/.exec(url)?.[0] ?? ''
  if (last < authority.length) return last
  const at = authority.lastIndexOf('@')
  // The path has an @: `https://host:8080/@scope/name`, `s3://bucket/a@b`. A / may also belong to a password.
  if (!authority.includes(':') || (isWeb.test(scheme) && (endsWithHost.test(authority) || isServer.test(authority))))
    return at
  return last
}

/** Masks what follows a name without a sign: `--password …`, `redis-cli -a …`, `requirepass …`, `<password>…</password>`. */
function maskArguments(text: string): string {
  return text
    .replaceAll(option, (all, before: string, name: string, value: string) =>
      isSecretName(name) && !value.startsWith('-') ? before + masked(value) : all,
    )
    .replaceAll(redisUser, `$1${mask} ${mask}`)
    .replaceAll(redisRules, (rules) => rules.replaceAll(/(?<=[ \t][<>#])[^\s"'`]+/g, mask))
    .replaceAll(argument, (_, before: string, value: string) => before + masked(value))
    .replaceAll(namedElement, (all, before: string, name: string) => (isSecretName(name) ? before + mask : all))
    .replaceAll(element, (all, before: string, name: string) => (isSecretName(name) ? before + mask : all))
}

const word = /"[^"\n]{1,200}"|'[^'\n]{1,200}'|[^\s<(|"'`][^\s"'`]*/.source
const option = new RegExp(`((?<![\\w-])--?([\\w-]+)[ \\t]+)(${word})`, 'g')
/** The commands AUTH and HELLO with a user; the password of `default` follows below. */
const redisUser = /\b(AUTH2?[ \t]+)(?!default\b)[^\s<"'`]+[ \t]+[^\s"'`]+(?=[ \t]*(?:$|["'`\r\n])|[ \t]+SETNAME\b)/g
const redisRules = /\b(?:SETUSER[ \t]+\S|user[ \t]+\S+[ \t]+(?:on|off)\b)[^\r\n]*/g
/** A command of a shell, of Redis or of SQL, or a line of .netrc, up to its password. */
const beforePassword = [
  /\b(?:[Rr]equire[Pp]ass|[Mm]aster[Aa]uth|AUTH(?:[ \t]+default)?)[ \t]+/,
  /\b(?:redis|valkey)-cli\b[^\n]{0,200}? -a[ \t]+/,
  /\bsshpass -p[ \t]*/,
  /\bmysql(?:dump|admin)?\b[^\n]{0,200}? -p/,
  /\bdocker login\b[^\n]{0,200}? -p[ \t]*/,
  /\bcurl\b[^\n]{0,200}? (?:-u[ \t]*|--(?:proxy-)?user[ \t=]+)/,
  /\b(?:PASSWORD|[Pp]assword|IDENTIFIED(?: WITH \w+)? BY|identified(?: with \w+)? by)[ \t]+(?:is[ \t]+)?(?=["'][^"'\n]{1,200}["'])/,
  /\blogin[ \t]+\S{1,200}[ \t]+password[ \t]+/,
]
const argument = new RegExp(`(${beforePassword.map(({ source }) => source).join('|')})(${word})`, 'g')
const element = /(<([\w.:-]{1,200})(?:[ \t][^<>]{0,200})?>(?:<!\[CDATA\[)?)[^<]+(?=<\/)/g
/** `<add key="password" value="…"/>`, and `{"name":"password","value":"…"}` within a text. */
const namedElement =
  /(\b(?:(?:parameter)?key|(?:option)?name)\\{0,7}["']?\s{0,9}[=:]\s{0,9}\\{0,7}["']([\w.:-]{1,200})\\{0,7}["'][\s,]{1,9}\\{0,7}["']?(?:parameter)?value\\{0,7}["']?\s{0,9}[=:]\s{0,9}\\{0,7}["'])[^"'\\]+/gi
/** Keeps the quotes around a value. */
const masked = (value: string) => (/^["']/.test(value) ? value.charAt(0) + mask + value.charAt(0) : mask)

/** Masks the values in `password=…`, `"password": …` and `Authorization: …`. */
function maskAssignments(text: string): string {
  // A value on the next line begins with a quote.
  const assignment =
    /(?<![\w.-])([\w.-]+)(\\*["']{0,2})[[\]\d]{0,9}\s*(=>|:=|==|[=:]|%3D)(?:\s*(?=\\*["'`])|[^\S\r\n]*)/gi
  let clean = ''
  let done = 0
  for (let found = assignment.exec(text); found; found = assignment.exec(text)) {
    const [all, name = '', quote = '', sign = ''] = found
    const from = found.index + all.length
    if (!isSecretName(name)) continue
    const before = text.slice(Math.max(0, found.index - maxIndent), found.index)
    const [begin, end] = valueAt(text, from, {
      name,
      nameQuote: quote,
      sign,
      hasGap: !all.endsWith(sign),
      before,
    })
    if (begin === end || !isSecretName(name, text.slice(begin, Math.min(end, begin + 20)))) continue
    clean += text.slice(done, begin) + mask
    done = end
    assignment.lastIndex = end
  }
  return clean + text.slice(done)
}

const maxIndent = 40

interface Assignment {
  name: string
  /** The quotes around the name, as in JSON. */
  nameQuote: string
  sign: string
  /** Whether a blank follows the sign. */
  hasGap: boolean
  /** Some of the text before the name. */
  before: string
}

/** Returns where the value at an index begins and ends, without its quotes. */
function valueAt(
  text: string,
  from: number,
  { name, nameQuote, sign, hasGap, before }: Assignment,
): [begin: number, end: number] {
  const isQuoted = nameQuote !== ''
  const first = text.charAt(from)
  if (text.startsWith(mask, from)) return [from, from]
  // A header extends to the end of its line, or to the quote in which it stands.
  if (sign === ':' && !isQuoted && /^\w+-|^authorization$|^cookies?$/i.test(name)) {
    const around = /(\\*)(["'])$/.exec(before)
    const end = around ? closingQuote(text, from, around[1]?.length ?? 0, around[2]) : text.length
    return [from, from + lengthAt(/[^\r\n]*/y, around ? text.slice(0, end) : text, from)]
  }
  // JSON in CSV.
  if (/^(""|'')$/.test(nameQuote) && text.startsWith(nameQuote, from)) {
    const end = text.indexOf(nameQuote, from + 2)
    return [from + 2, end < 0 ? text.length : end]
  }
  const quote = matchAt(/(?:[bfru]{1,2}|\$)?(\\*)(["'`])/iy, text, from)
  if (quote)
    return [from + quote[0].length, closingQuote(text, from + quote[0].length, quote[1]?.length ?? 0, quote[2])]
  if (first === '{' || first === '[') return [from, closingBracket(text, from)]
  if (isQuoted) return [from, from + lengthAt(/(?!null|true|false)[^\s,}\]]*/y, text, from)]
  if (sign !== ':') {
    // `Authorization=Bearer …` and `Cookie=a=1; b=2` go on after a blank.
    const scheme = lengthAt(/(?:Bearer|Basic|Digest|Token|Negotiate|AWS4-[\w-]+)[ \t]+/iy, text, from)
    const pairs = /^(set-)?cookies?$/i.test(name) ? /[^\s;"'`]*(?:; ?[^\s;="'`]+=[^\s;"'`]*)*/y : plainValue
    return [from, from + scheme + lengthAt(pairs, text, from + scheme)]
  }
  // YAML: a type, and a text on lines of its own.
  const block = lengthAt(/(?:!!\w+[ \t]+)?[|>][+\d-]{0,2}[ \t]*(?:\r?\n[ \t]+[^\r\n]*)+/y, text, from)
  if (block > 0) return [from, from + block]
  // A word that is all of a line of YAML. In other prose, only what touches the colon is a value.
  if (hasGap && /(^|[\n{,])[ \t-]*$/.test(before)) {
    return [
      from,
      from +
        lengthAt(/(?!null\b|true\b|false\b)(?:!!\w+[ \t]+)?[^\s,}\]]+(?=[ \t]*([\r\n,}\]]|$|[ \t]#))/y, text, from),
    ]
  }
  return [from, hasGap || first === '/' ? from : from + lengthAt(/[^\s&;"'`,}\]]*/y, text, from)]
}

/** A quote before a letter or a digit belongs to the value. */
const plainValue = /(?:[^\s&;"'`]|["'`](?=\w))*/y

function matchAt(sticky: RegExp, text: string, at: number): RegExpExecArray | null {
  sticky.lastIndex = at
  return sticky.exec(text)
}

const lengthAt = (sticky: RegExp, text: string, at: number) => matchAt(sticky, text, at)?.[0].length ?? 0

/**
 * Returns the index of the quote that closes a value, with its backslashes. JSON in a string has one backslash before each
 * quote, JSON in JSON in a string three. A quote that belongs to the value has more of them.
 */
function closingQuote(text: string, from: number, backslashes: number, quote = '"'): number {
  const quotes = quote === '"' ? /(\\*)"/g : quote === "'" ? /(\\*)'/g : /(\\*)`/g
  quotes.lastIndex = from
  for (let found = quotes.exec(text); found; found = quotes.exec(text)) {
    const more = (found[1] ?? '').length - backslashes
    // SQL and CSV double a quote of the value; the quotes of Python are three.
    if (more === 0 && text.startsWith(found[0], quotes.lastIndex)) {
      quotes.lastIndex += found[0].length
      continue
    }
    if (more <= 0) return found.index
    if (more % (2 * (backslashes + 1)) === 0) return found.index + more
  }
  return text.length
}

function closingBracket(text: string, from: number): number {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === '{' || character === '[') depth++
    else if ((character === '}' || character === ']') && --depth === 0) return at + 1
  }
  return text.length
}
