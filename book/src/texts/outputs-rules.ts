/**
 * What may be another figure in the next run, on this machine or another: the kinds of figures, in which columns and
 * sentences each stands, and how far it may be from the recorded one. What no rule takes must be the same.
 */

/** A figure, or a phrase with figures. */
export interface Rule {
  kind: string
  /** What is such a figure in a cell of a table or, outside of tables, in a line. */
  pattern: RegExp
  /** Only there: matches `heading | first cell of the row | all headings |` or, outside of tables, the line. */
  where?: RegExp
  plausible: (recorded: string, fresh: string) => boolean
}

const any = () => true
const equal = (recorded: string, fresh: string) => recorded === fresh

const digits = String.raw`(?<![\w.,‹])[+−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]\d+)?`
const withUnit = (units: string) => new RegExp(String.raw`${digits} ?(?:${units})(?![\w/])`, 'g')
const time = withUnit('ns|µs|ms|s|minutes')
const size = withUnit('B|kB|MB|GB')
const alone = new RegExp(`^${digits}$`, 'g')
const system = '(?:darwin|linux|win32)'

/** Returns what finds one of these phrases; a # in one stands for a figure with or without a unit. */
function phrases(...texts: string[]): RegExp {
  const figure = String.raw`${digits}(?:×| (?:ns|µs|ms|s|minutes|B|kB|MB|GB|%)(?!\w))?`
  return new RegExp(
    texts.map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('#', figure)).join('|'),
    'g',
  )
}

const scales: Record<string, number> = { ns: 1e-9, µs: 1e-6, ms: 1e-3, minutes: 60, kB: 1e3, MB: 1e6, GB: 1e9 }

/** Returns the numbers of a text in seconds, bytes or what else they count, each with the value of its last digit. */
function numbers(text: string): { value: number; digit: number }[] {
  const found = text.matchAll(/([+−-]?)(\d[\d,]*(?:\.(\d+))?(?:e[+-]\d+)?) ?(\p{L}*)/gu)
  return [...found].map(([, sign = '', number = '', decimals = '', unit = '']) => {
    const scale = scales[unit] ?? 1
    const value = Number(number.replaceAll(',', '')) * scale
    return { value: /[−-]/.test(sign) ? -value : value, digit: scale / 10 ** decimals.length }
  })
}

/** Accepts numbers that are up to `factor` times as large or as small, or differ by at most `apart`. */
function within(factor: number, apart = 0) {
  return (recorded: string, fresh: string) => {
    const others = numbers(fresh)
    return numbers(recorded).every(({ value, digit }, at) => {
      const other = others[at]
      if (other === undefined || Math.abs(value - other.value) <= apart) return true
      // What is shown as 0 may be anything below its last digit.
      const [a, b] = [Math.max(Math.abs(value), digit), Math.max(Math.abs(other.value), other.digit)]
      return value * other.value >= 0 && Math.max(a, b) <= factor * Math.min(a, b)
    })
  }
}

const isShort = (time: string) => numbers(time).some(({ value }) => Math.abs(value) < 0.01)
const isZero = (text: string) => numbers(text).map(({ value }) => value === 0)
const isAll = (text: string) => new Set(numbers(text).map(({ value }) => value)).size === 1

// So far is one machine from another, and from itself when it has other work; to less than 10 ms one pause adds more.
const timeRange = (recorded: string, fresh: string) =>
  within(isShort(recorded) || isShort(fresh) ? 100 : 30)(recorded, fresh)
const rateRange = within(30)
const sizeRange = within(10)
const ratioRange = within(10)
const shareRange = within(4, 60)
const loadRange = within(30, 20)
/** As loadRange, but none is a state and stays none. */
const someRange = (recorded: string, fresh: string) =>
  loadRange(recorded, fresh) && isZero(recorded).join() === isZero(fresh).join()
/** As loadRange, but where all did it, all do. */
const allRange = (recorded: string, fresh: string) => loadRange(recorded, fresh) && isAll(recorded) === isAll(fresh)
/** What is begun twice depends on the load; whether any is lost, held or doubled does not. */
const fateRange = (recorded: string, fresh: string) =>
  loadRange(recorded, fresh) && isZero(recorded).slice(1).join() === isZero(fresh).slice(1).join()
/** As timeRange, but what lasts less than a tenth of a second may not be seen at all. */
const glimpseRange = (recorded: string, fresh: string) => {
  const [before, after] = [recorded, fresh].map((text) => text.replace('–', '0 ms'))
  return within(30, 0.1)(before, after)
}

/** COST is a number of workers, or `not up to` the same greatest number. */
function costRange(recorded: string, fresh: string): boolean {
  const [before, after] = [recorded, fresh].map((text) => Number(/not up to (\d+)/.exec(text)?.[1] ?? 0))
  return before === 0 || after === 0 || before === after
}

/** Returns whether a text is a time and nothing else. */
export const isTime = (text: string) => text !== '' && text.replace(time, '') === ''

/** The shape of a line that may be missing; in a table, of each of its cells. */
export const optional = '‹optional›'
export const isOptional = (shape: string) => shape.startsWith(optional)

/** The headings of tables of as many rows as it took. */
export const ofAnyLength = /^life \| job \| from \| to /

/** The headings of tables whose rows are a set: which of the workers was idle when both were to end, who heard first. */
export const inAnyOrder = /^(worker \| ended by|process \| knows that \w+ is dead after) /

/** The shape of lines of which there may be any number. */
export const anyNumber = '‹operations›'

/** Returns what finds one of these sentences as a whole line. */
function wholeLine(...texts: string[]): RegExp {
  return new RegExp(`^(?:${phrases(...texts).source})$`, 'g')
}

/** Matches the cells of a column, in the rows with such a first cell, of the tables whose headings begin so. */
function cells(column: string, row = '.*', headings = ''): RegExp {
  return new RegExp(`^(?:${column}) \\| (?:${row}) \\| ${headings}.*\\|$`)
}

/** A line is read by the rules in this order; what none of them takes must be the same. */
export const rules: Rule[] = [
  // What is new in every run.
  {
    kind: 'run',
    pattern: new RegExp(`(?<=\\bresults/)\\d{4}-\\d\\d-\\d\\d-[\\da-f]{6}-\\d+-${system}(-\\d+)?(?=[-.])`, 'g'),
    plausible: any,
  },
  {
    kind: 'date',
    pattern: /\b\d{4}-\d\d-\d\d(T[\d:.]+Z)?(?!\w)/g,
    plausible: (_, fresh) => !Number.isNaN(Date.parse(fresh)),
  },
  { kind: 'id', pattern: /\b[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\b/g, plausible: any },
  // A trace's, shortened, and a span's in a traceparent.
  { kind: 'id', pattern: /(?<=\btrace )[\da-f]{8}\b|(?<="00-)[\da-f]{32}-[\da-f]{16}(?=-)/g, plausible: any },
  // Hexadecimal digits after a name; a hash has more, or stands alone.
  { kind: 'id', pattern: /(?<=[a-z][-.])[\da-f]{6,17}(?!\w)/g, plausible: any },
  { kind: 'port', pattern: /(?<=(?:127\.0\.0\.1|localhost):)\d{4,5}/g, plausible: any },
  { kind: 'process', pattern: /(?<=\bprocess |\bvm-)\d{3,7}\b/g, plausible: any },
  { kind: 'process', pattern: /(?<=[:,] )\d{3,7}\b/g, where: /^\d+ workers at /, plausible: any },
  { kind: 'process', pattern: /^\d{3,7}$/g, where: cells('worker'), plausible: any },

  // What the machine is, and what is installed on it.
  {
    kind: 'version',
    pattern:
      /(?<=\b(?:Redis|PostgreSQL|RabbitMQ|NATS|Node|Python|Celery|RQ|Pyro|Prometheus|grep|ripgrep|cat) )\d+(\.\d+)+/g,
    plausible: any,
  },
  { kind: 'version', pattern: /^\d+\.\d+\.\d+$/g, where: cells('version|worker 1 has|has|most have'), plausible: any },
  {
    kind: 'machine',
    pattern: new RegExp(`(?<= run on )\\d+ cores?, ${system} (arm64|x64)(?=, Node )`, 'g'),
    plausible: any,
  },
  { kind: 'machine', pattern: /.+/g, where: cells('worker 1 has', 'system|user|time zone|locale'), plausible: any },
  { kind: 'machine', pattern: size, where: cells('worker 1 has', '(free|heap) .*'), plausible: any },
  {
    kind: 'machine',
    pattern: /^unlimited$|^\d+(?= variables$|$)/g,
    where: cells('worker 1 has', 'umask|cores|open files|environment'),
    plausible: any,
  },
  { kind: 'machine', pattern: size, where: cells('has|most have'), plausible: sizeRange },
  { kind: 'machine', pattern: alone, where: cells('most have'), plausible: any },

  // Which operations of a store's history cannot be explained depends on the load, and so does how many they are.
  {
    kind: 'operations',
    pattern:
      /^ +(?:c\d+|last\d+)(?:\.\d+)? \d+ to (?:\d+ ms|…) (?:write \S+ \d+-\d+|cas \S+ (?:nothing|\d+-\d+) → \d+-\d+(?:: refused)?|read \S+: (?:nothing|\d+-\d+))(?:: no answer)?$/g,
    plausible: any,
  },
  { kind: 'exact', pattern: /^ +c\d+ \d+ to .+/g, plausible: equal },

  // Which of the ways that are about equally fast wins depends on the machine. 5 % is given, but not which sentence has it.
  {
    kind: 'verdict',
    pattern:
      /^\d×\d(, \d×\d)+ are equally fast, within 5 %\.$|^\d×\d is the fastest by more than 5 %\.$|\d×\d(?= wins: )/g,
    plausible: any,
  },

  // What is given or computed, although it looks measured.
  { kind: 'exact', pattern: /.+/g, where: cells('.*', '.*', '.* Gustafson'), plausible: equal },
  { kind: 'exact', pattern: /.+/g, where: cells('curve'), plausible: equal },
  { kind: 'exact', pattern: time, where: cells('a task takes', '.*', 'a task takes workers '), plausible: equal },
  // A program that begins says what it is about to do.
  {
    kind: 'exact',
    pattern: new RegExp(`${time.source}|${digits} %`, 'g'),
    where: /^(?!Undisturbed: ).* …$/,
    plausible: equal,
  },
  // Of what is simulated, a seed decides everything.
  {
    kind: 'exact',
    pattern: /^\d+ ms .+ → .+ \(.+\)$|^\d+ ms .*(crashes after|is paused for|clock) .*/g,
    plausible: equal,
  },
  {
    kind: 'exact',
    pattern: /.+/g,
    where: cells('(?!ns a key).*', '.*', '(placed by move|N W R|N \\d, W \\d|lost suspicion|way broken in history) '),
    plausible: equal,
  },
  {
    kind: 'exact',
    pattern: /.+/g,
    where: cells('lease|asked every', 'redis|etcd', 'store version '),
    plausible: equal,
  },
  { kind: 'time', pattern: phrases('failure every #', 'saves every #'), plausible: timeRange },
  // A scheduler's queue: nobody can say how long it is.
  { kind: 'time', pattern: phrases('waited # in all'), plausible: within(1000) },
  {
    kind: 'exact',
    pattern: phrases(
      'lasts #',
      'every #',
      'within #',
      'lease is #',
      'fraction is #',
      'limit is #',
      'limit #',
      'efficiency of #',
      'walltime of #',
      'never passes #',
      'more than #',
      'came back after #',
      'taken for dead after #',
      'loses its jobs after #',
      'ends by itself after #',
      'crash for #',
      'new start # later',
      'Each job waited #',
      'The task takes #',
      'the work takes #',
      'of the # it wanted',
      'told to stop # before',
      '# at a time, ',
      '# between two',
      '# fast (simulated)',
      'mean gives #',
      'median of #).',
      'request_memory = #',
      '# of the messages are lost',
      'share if # move',
      // What a row is about.
      '# to the replica',
      'no answer for #',
      'in slices of #',
      ') in #',
    ),
    plausible: equal,
  },

  // Whether parallel work pays depends on the machine.
  {
    kind: 'optional',
    pattern: wholeLine(
      "That program is # as fast as this job on one thread. By Amdahl's law, not measured: no number of threads would beat it.",
      "That program is # as fast as this job on one thread. By Amdahl's law, not measured: # threads on as many cores would beat it.",
      'What an array is for at this size: data that is on the cluster already, more memory than this machine has, and',
      'an answer that must not be lost when a machine dies.',
      'The machine was busy: its ceiling is far below its cores, or below the speedup. Do not believe these figures; try again when it is not.',
    ),
    plausible: any,
  },
  {
    kind: 'verdict',
    pattern: wholeLine(
      '# workers pay from # integers.',
      '# workers pay at none of these sizes.',
      'The queue beats one thread from tasks of #, of those measured.',
      'The queue beats one thread at none of these lengths.',
      'At none of these sizes does an array pay.',
      'Amdahl, with the ceiling as the number of processors: #, # points off.',
      'Amdahl cannot be fitted: this machine gave no second processor.',
      'host3b had a chunk when its cable was pulled; host3a got it when the lock had run out.',
      'host3b had no chunk when its cable was pulled: nothing had to be done again.',
      'An array pays from # texts on: there it is # as fast.',
    ),
    plausible: any,
  },
  { kind: 'verdict', pattern: phrases('Best: # tasks of # numbers', 'Best: # task of # numbers'), plausible: any },
  { kind: 'COST', pattern: /^(not up to )?\d+( workers?)?$/g, where: cells('COST'), plausible: costRange },
  {
    kind: 'COST',
    pattern: new RegExp(
      `(?<=COST in [\\w ]+: )(\\d+(?=; [^;]+ takes ${digits} m?s\\.)|not up to \\d+(?=; [^;]+ takes ${digits} m?s, and none was faster\\.))`,
      'g',
    ),
    plausible: costRange,
  },
  {
    kind: 'none',
    pattern: new RegExp(`(?<=‹COST›; [^;]+ takes ${digits} m?s)(, and none was faster)?(?=\\.)`, 'g'),
    plausible: any,
  },
  {
    kind: 'threshold',
    pattern: new RegExp(`^never$|${size.source}`, 'g'),
    where: cells('shared memory|transfer|structured clone|to a process', '.*', 'work ns per byte'),
    plausible: any,
  },
  { kind: 'threshold', pattern: /^(2\^\d+|never)$/g, where: cells('\\d+ hosts'), plausible: any },

  // For how long nobody led, or two did; a dash if that was too short to be seen.
  {
    kind: 'troubles',
    pattern: /^–$|^(none|two) [\d.]+ m?s(, two [\d.]+ m?s)?$/g,
    where: cells('paused|cut off|slow, allowed for', 'redis|etcd', 'store version lease'),
    plausible: any,
  },

  // What clients, candidates and processes did while something was broken.
  {
    kind: 'load',
    pattern: alone,
    where: cells('answered|no answer|own writes', '.*', 'system version'),
    plausible: loadRange,
  },
  { kind: 'load', pattern: /^[\d,]+ of [\d,]+(?= requests were answered)/g, plausible: allRange },
  { kind: 'load', pattern: /(?<= requests were answered, )[\d,]+(?= while )/g, plausible: loadRange },
  { kind: 'who', pattern: /^[a-e](?= was killed with SIGKILL)|(?<= while )[a-e](?= was down)/g, plausible: any },
  { kind: 'who', pattern: /^waited for it$|^was told$/g, where: cells('how', '.*', 'process knows'), plausible: any },
  {
    kind: 'load',
    pattern: /^\d+( · \d+){3}$/g,
    where: cells('worker killed|broker killed|partition|machine lost'),
    plausible: fateRange,
  },
  // What a reader sees in between, if it looks in time, of two stores that it asks one after the other.
  { kind: 'load', pattern: /^(90|100)$/g, where: cells('least', '.*', 'way killed after'), plausible: any },
  { kind: 'load', pattern: /^(100|110)$/g, where: cells('most', '.*', 'way killed after'), plausible: any },
  {
    kind: 'time',
    pattern: /^–$|^[\d.]+ m?s$/g,
    where: cells('short for', '.*', 'way killed after'),
    plausible: glimpseRange,
  },

  // What is measured, by its unit or its column.
  { kind: 'time', pattern: time, where: cells('all done after'), plausible: within(100) },
  { kind: 'time', pattern: time, plausible: timeRange },
  { kind: 'time', pattern: alone, where: cells('ns (per|a) .*'), plausible: timeRange },
  { kind: 'time', pattern: alone, where: cells('.*', '.*B', 'microseconds'), plausible: timeRange },
  { kind: 'time', pattern: alone, where: cells('.*', 'latency', 'signal curve'), plausible: timeRange },
  { kind: 'time', pattern: /(?<![\d:.=])\d+:\d\d(:\d\d)?(?![\d:.])/g, plausible: any },
  { kind: 'rate', pattern: withUnit('M/s|/s'), plausible: rateRange },
  {
    kind: 'rate',
    pattern: alone,
    where: cells('[^|]*(/s|per second.*|jobs a second|(slowest|fastest) round)'),
    plausible: rateRange,
  },
  { kind: 'rate', pattern: alone, where: cells('.*', '.*B', 'GB/s'), plausible: rateRange },
  {
    kind: 'rate',
    pattern: alone,
    where: cells('tasks a second|model|workers that keep one broker busy'),
    plausible: rateRange,
  },
  { kind: 'rate', pattern: alone, where: cells('median', '.*', 'calls per second'), plausible: rateRange },
  { kind: 'rate', pattern: /^[\d,]+(?= histories of \d+ messages a minute )/g, plausible: rateRange },
  {
    kind: 'rate',
    pattern: phrases('# histories per second', '# tasks a second', '# if each has to wake', 'started at # per second'),
    plausible: rateRange,
  },
  // The text says so: two hardware threads of one core have one cache, and pay nothing for false sharing.
  { kind: 'ratio', pattern: phrases('Side by side, an addition takes # as long'), plausible: within(100) },
  { kind: 'ratio', pattern: new RegExp(`${digits}×(?!\\w)`, 'g'), plausible: ratioRange },
  { kind: 'ratio', pattern: alone, where: cells('function calls'), plausible: timeRange },
  { kind: 'ratio', pattern: /(?<=^1 : )[\d.]+$/g, where: cells('computing : the rest'), plausible: rateRange },
  { kind: 'share', pattern: new RegExp(`${digits} %`, 'g'), where: cells('more'), plausible: within(30, 300) },
  { kind: 'share', pattern: new RegExp(`${digits} %`, 'g'), where: /^(?!in common \|)/, plausible: shareRange },
  { kind: 'share', pattern: phrases('# points off'), plausible: shareRange },
  { kind: 'slope', pattern: /(?<=power of |\), )[\d.]+(?= \()/g, plausible: within(3, 1) },
  { kind: 'slope', pattern: alone, where: cells('.*', 'slope'), plausible: within(3, 1) },
  { kind: 'slope', pattern: alone, where: cells('slope'), plausible: within(3, 1) },
  // The size of data is given; that of memory, and of what is built, is measured.
  {
    kind: 'size',
    pattern: size,
    where:
      /^[^|]*(memory|heap|process grew by|waiting at once|a thread costs|bundle of)|^(more|of which for the work|at its peak|their own bytes|broker|a worker|disk) \|/i,
    plausible: sizeRange,
  },
  { kind: 'size', pattern: phrases('poll of all tasks returns #, #, #'), plausible: sizeRange },
  { kind: 'bar', pattern: /[▏▎▍▌▋▊▉█░]+/g, plausible: any },

  // How often something happened or was tried depends on the load.
  {
    kind: 'load',
    pattern: alone,
    where: cells(
      'calls|in vain|most by one task|fired|running there|succeeded|accepted|lost|order made up|began at|save|reached|saves|debug|info|warn|error|more objects|jobs put back|jobs begun again',
    ),
    plausible: someRange,
  },
  // A process that is slow to start gets fewer batches, and some twice; how many jobs are under way at a kill is chance.
  { kind: 'load', pattern: alone, where: cells('invocations', 'cold|warm', 'start invocations'), plausible: loadRange },
  { kind: 'load', pattern: alone, where: cells('jobs', '.*', 'jobs in the second life'), plausible: loadRange },
  { kind: 'load', pattern: phrases('# times the counts were there already'), plausible: loadRange },
  { kind: 'load', pattern: phrases('# of their jobs'), plausible: someRange },
  {
    kind: 'program',
    pattern: /(?<=^Runtime API: )(a small server of ours|Amazon's Runtime Interface Emulator)/g,
    plausible: any,
  },
  // Which traces are recorded is chance.
  {
    kind: 'load',
    pattern: alone,
    where: cells('placed|paid|shipped|end to end|traces|links|to nothing', '(one trace of|links, ).*'),
    plausible: someRange,
  },
  // The lives of a job with a walltime: how many it needs depends on how fast it computes.
  { kind: 'load', pattern: alone, where: cells('.*', '\\d+', 'life job from'), plausible: any },
  { kind: 'load', pattern: alone, where: cells('failed|wait|run|later|running|done again'), plausible: any },
  { kind: 'load', pattern: alone, where: cells('(chunks )?on host3[ab]', '(?!cable ).*'), plausible: someRange },
  { kind: 'load', pattern: alone, where: cells('(chunks )?on host3[ab]', 'cable .*'), plausible: loadRange },
  {
    kind: 'load',
    pattern: alone,
    where: cells('effect before cause|received before sent', 'wall clock.*'),
    plausible: any,
  },
  { kind: 'load', pattern: alone, where: cells('.*', '(?!latency).*', 'signal curve'), plausible: within(30, 2000) },
  {
    kind: 'load',
    pattern: /^[\d,]+ to [\d,]+(?= of [\d,]+$)/g,
    where: cells('updates lost.*'),
    plausible: within(1000),
  },
  { kind: 'load', pattern: /^\d+ of \d+$/g, where: cells('pings answered'), plausible: loadRange },
  // Of a Redis replica: what it lacks, and how much was written, depends on the load; what WAIT prevents does not.
  {
    kind: 'load',
    pattern: alone,
    where: cells('acknowledged|seen and gone', '\\d+ ms to the replica.*'),
    plausible: any,
  },
  { kind: 'load', pattern: alone, where: cells('lost', '[05] ms to the replica'), plausible: any },
  {
    kind: 'load',
    pattern: /^\d+(?= of \d+$)/g,
    where: cells('stale reads', '\\d+ ms to the replica'),
    plausible: loadRange,
  },
  {
    kind: 'load',
    pattern: phrases(
      'highest at # threads',
      'counted # and # addresses',
      'tasks, # and # on each worker',
      '# polls',
      '# to poll',
      '# skipped while nobody could fire',
      'of # requests failed',
      '# steps were done again',
      '# orders in progress',
      '# order in progress',
      '# times a job was begun again',
      '# amounts would',
      '# effects meanwhile',
      '# parts did not travel again on the way up, # on the way down',
      'holds # results',
      '# PipeWrap',
      '# pairs are concurrent',
      '# bytes without an end',
      'at most # numbers at a time',
      'median of #)',
      '# lines; by the clocks # messages',
      'broken # times',
      ', # spans',
    ),
    plausible: loadRange,
  },
  { kind: 'load', pattern: /\d+ stalls?(?= of )|\d+(?= of them in )|(?<=\{"items":)\d+/g, plausible: any },
  // A sample of what a process did and kept; what was planted is always in it.
  {
    kind: 'optional',
    pattern: /.+/g,
    where: cells('.*', '(?!editDistance|printReceipts).*', 'function in itself'),
    plausible: any,
  },
  { kind: 'optional', pattern: /.+/g, where: cells('.*', '(?!Receipt).*', 'class more objects'), plausible: any },

  // The states that were seen between two polls.
  {
    kind: 'load',
    pattern: /((RETRY|PROGRESS) → )*(?=SUCCESS$)/g,
    where: cells('states in .*', 'flaky.*|report.*'),
    plausible: any,
  },

  // The states of a diamond of jobs between its beginning and its end.
  { kind: 'optional', pattern: /^A [✓▶] → B [·▶✓✗] C [·▶✓✗] → D ·$|^A ✓ → B . C . → D [–▶]$(?<=▶.*)/g, plausible: any },

  // Who of several did it, and what they had at hand, depends on the load.
  { kind: 'who', pattern: /\bworker \d(?= was killed| did it)/g, plausible: any },
  { kind: 'who', pattern: /(?<=NODENAME=|NODELIST=|^ *)n\d$/g, plausible: any },
  { kind: 'who', pattern: /^n\d$/g, where: cells('on|node'), plausible: any },
  { kind: 'who', pattern: /(?<=found )file [ab]/g, plausible: any },
  { kind: 'who', pattern: /\b(read|write)(?= ECONNRESET$)/g, plausible: any },
  { kind: 'who', pattern: /(payment|shipping) \d/g, where: /[▏▎▍▌▋▊▉█]$|^process \| .*at work/, plausible: any },
  {
    kind: 'who',
    pattern: /(payment|shipping) \d|order-\d+|"item":"\w+","quantity":\d/g,
    where: /^ *[\d.]+ s +(front|payment|shipping)|^The story of /,
    plausible: any,
  },
  {
    kind: 'who',
    pattern: /order-\d+|(?<="item":)"\w+"|(?<="cents":)\d+/g,
    where: /^ +order = |^order-\d+ is shipped/,
    plausible: any,
  },
  { kind: 'who', pattern: /(?<=\.log:)\d+/g, plausible: any },
  {
    kind: 'who',
    pattern: phrases('order-# was charged # times'),
    where: cells('the first that broke it'),
    plausible: any,
  },
]
