/** The real stores, by name. */
import { etcd } from './etcd.ts'
import { redis } from './redis.ts'

export const stores = { redis, etcd }
export type StoreName = keyof typeof stores
export const storeNames = Object.keys(stores) as StoreName[]
