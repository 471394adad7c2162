/**
 * Rough prices, so that nobody is surprised: on-demand US dollars in the region us-east-1, without free tier and taxes.
 * Prices change. The ones that count are at https://aws.amazon.com/ec2/pricing/on-demand/
 */
import { UsageError } from '@repo/common/example/usage'
import { table } from '@repo/common/output/terminal'

/** The instance types that the chapter uses. */
export const instanceTypes = {
  't3.micro': { perHour: 0.0104, architecture: 'x86_64' },
  't3.small': { perHour: 0.0208, architecture: 'x86_64' },
  't4g.micro': { perHour: 0.0084, architecture: 'arm64' },
  't4g.small': { perHour: 0.0168, architecture: 'arm64' },
} as const

export type InstanceType = keyof typeof instanceTypes

const gp3PerGigabyteMonth = 0.08
const publicAddressPerHour = 0.005
const hoursPerMonth = 730

/** How many instances of this chapter may exist in a region before a launch is refused, whatever program started them. */
export const mostInstances = 8

/** One line of a bill. */
export interface Cost {
  what: string
  perHour: number
}

/** The cost of instances with a public IPv4 address each. `gigabytes` is the total size of their volumes. */
export function costOf(count: number, type: InstanceType, gigabytes: number): Cost[] {
  return [
    { what: `${count} × ${type}`, perHour: count * instanceTypes[type].perHour },
    { what: `${count} × public IPv4 address`, perHour: count * publicAddressPerHour },
    { what: `${gigabytes} GB of gp3 volumes`, perHour: (gigabytes * gp3PerGigabyteMonth) / hoursPerMonth },
  ]
}

/** Dollars for a reader: `$0.031`, `$1.25`. */
function dollars(amount: number): string {
  return `$${amount.toFixed(amount < 1 ? 3 : 2)}`
}

/** The bill that a reader sees before anything is created: each item, and the sum. */
export function bill(costs: Cost[], minutes: number): string {
  const perHour = costs.reduce((sum, cost) => sum + cost.perHour, 0)
  const rows = costs.map((cost) => [cost.what, `${dollars(cost.perHour)} an hour`])
  return `${table(['what it creates', 'roughly'], rows)}\nIn all ${dollars(perHour)} an hour, for about ${minutes} minutes; see src/cloud/prices.ts.`
}

/** The error for a reader who has not agreed to the cost. */
export function needsYes(): UsageError {
  return new UsageError('--yes', undefined, 'that switch, to create in your account what is listed above')
}
