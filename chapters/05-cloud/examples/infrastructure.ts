/**
 * infrastructure: the whole system as a program: bucket, queue, workers, web tier, alarms and budget, checked before it
 * costs money
 *
 *     pnpm --filter 05-cloud start infrastructure
 *     pnpm --filter 05-cloud start infrastructure --workers 10 --budget 50 --email you@example.com
 *     pnpm --filter 05-cloud start infrastructure --out ~/my-cloud
 *
 * The AWS CDK turns src/stack/stack.ts into a CloudFormation template. That needs no account and creates nothing. The
 * last lines of the output show how to create it, `npx aws-cdk@2 deploy`, and how to remove it, `npx aws-cdk@2
 * destroy`. The web tier has neither TLS nor a login, so it lets in only the addresses that you name when you deploy.
 *
 * Look for: how many resources a few lines become; what cdk-nag finds, and why that can stay.
 */
import { fileURLToPath } from 'node:url'
import { example } from '@repo/common/example/example'
import { accepting, path, wholeNumber } from '@repo/common/example/options'
import { progress } from '@repo/common/output/progress'
import { count, green, howMany, table } from '@repo/common/output/terminal'

const email = accepting('an e-mail address', (text) => (/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(text) ? text : undefined))

export default example(import.meta, {
  options: {
    // Each worker is a step of a scaling policy, and EC2 accepts twenty.
    workers: wholeNumber(1, 19).default(4).describe('the most workers at any time'),
    budget: wholeNumber(1, 10_000).default(10).describe('US dollars a month'),
    email: email.optional().describe('the address for alarms and budget notices'),
    solutionStack: accepting(
      'a name as `aws elasticbeanstalk list-available-solution-stacks` prints it',
      (text) => text || undefined,
    )
      .default('64bit Amazon Linux 2023 v6.6.0 running Node.js 22')
      .describe("Beanstalk's name for its Node.js"),
    out: path('a folder')
      .default(fileURLToPath(new URL('../../../out/05-cloud/infrastructure', import.meta.url)))
      .describe('where the template goes'),
  },

  async run({ out, ...settings }, { print }) {
    print('Synthesising the stack …')

    // Turn the program into a template.
    using bar = progress('loading the AWS CDK')
    // Loaded only here, because it takes 2 s.
    const [{ synthesise }, { checks }] = await Promise.all([
      import('../src/stack/synthesis.ts'),
      import('../src/stack/checks.ts'),
    ])
    bar.update(0, 'bundling the programs and synthesising')
    const { assembly, template, types, findings, acknowledged } = await synthesise(settings, out)
    const resources = Object.values(types).reduce((sum, number) => sum + number, 0)

    const services = Map.groupBy(Object.entries(types), ([type]) =>
      type.startsWith('AWS::') ? type.split('::')[1] : 'the CDK',
    )
    const rows = [...services].map(([service = '', kinds]) => [service, wrapped(kinds.map(kindOf).join(', '))])
    print('', table(['service', 'resources'], rows), '')

    // Test the template: our own promises, then good practice in general.
    for (const [promise, check] of Object.entries(checks)) {
      check(template)
      print(`${green('✓')} ${promise}`)
    }
    print('', `cdk-nag: ${findings.length} findings, ${acknowledged.length} acknowledged:`)
    print(
      table(
        ['rule', 'where', 'why it can stay'],
        acknowledged.map(({ rule, resource, reason }) => [shortRule(rule), resource, reason]),
      ),
    )
    if (findings.length > 0) {
      const [{ rule, description, resources: [where = ''] = [] } = { rule: '', description: '' }] = findings
      throw new Error(
        `cdk-nag finds ${howMany(findings.length, 'fault')}, the first: ${rule} at ${where}: ${description}`,
      )
    }
    // The web tier lets in whoever the parameter names.
    const yourAddress = '$(curl -s https://checkip.amazonaws.com)/32'
    print(
      '',
      settings.email
        ? `Alarms and notices go to ${settings.email}, once you have confirmed the mail that Amazon sends there.`
        : 'Alarms and notices reach nobody: --email says who gets them.',
      `${count(resources)} resources in ${assembly}`,
      `To create them in your account: npx aws-cdk@2 deploy --app ${assembly} --parameters WebFrom=${yourAddress}`,
      `To remove them all:             npx aws-cdk@2 destroy --app ${assembly}`,
    )
    return { resources, types, checks: Object.keys(checks), findings, acknowledged, assembly }
  },
  figure: ({ resources, checks, findings }) =>
    `${resources} resources, ${checks.length} promises kept, ${findings.length} findings of cdk-nag`,
})

const kindOf = ([type, number]: [string, number]) => `${number > 1 ? `${number} × ` : ''}${type.split('::').at(-1)}`
const wrapped = (text: string) => text.replaceAll(/(.{1,90})(?:\s+|$)/g, '$1\n').trim()
/** `IAM5 counts/*` for `IAM5[Resource::<Texts0AC1F062.Arn>/counts/*]`. */
const shortRule = (rule: string) => rule.replace(/\[Resource::<[^>]*>\/(.*)\]$/, ' $1')
