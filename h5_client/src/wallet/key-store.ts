import { WalletProblem } from './problem'

/**
 * Keeps a person's wallet key on this device: sealed with an AES-GCM key that the browser holds and
 * never gives out (non-extractable), both in IndexedDB. A stolen copy of the file alone opens nothing.
 */
interface StoredKey {
  userId: number
  address: string
  sealer: CryptoKey
  iv: Uint8Array<ArrayBuffer>
  sealed: ArrayBuffer
}

const DATABASE = 'otc-wallet'
const TABLE = 'keys'

/** Address of the key that this device holds for a person; null if it holds none. */
export async function storedAddress(userId: number): Promise<string | null> {
  return (await read(userId))?.address ?? null
}

/** Seals and keeps a private key; an earlier key of the same person is replaced. */
export async function storeKey(userId: number, address: string, privateKey: Uint8Array): Promise<void> {
  const subtle = secureCrypto()
  const sealer = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const sealed = await subtle.encrypt(sealParameters(iv, address), sealer, Uint8Array.from(privateKey))
  const row: StoredKey = { userId, address, sealer, iv, sealed }
  await transact('readwrite', (table) => table.put(row))
}

/** Opens the key for one use and wipes it afterwards. Throws `missing` when this device has none. */
export async function withKey<A>(userId: number, use: (key: Uint8Array) => Promise<A> | A): Promise<A> {
  const row = await read(userId)
  if (!row) throw new WalletProblem('missing')
  const opened = await secureCrypto().decrypt(sealParameters(row.iv, row.address), row.sealer, row.sealed)
  const key = new Uint8Array(opened)
  try {
    return await use(key)
  } finally {
    key.fill(0)
  }
}

function sealParameters(iv: Uint8Array<ArrayBuffer>, address: string): AesGcmParams {
  return { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(address.toLowerCase()) }
}

/** Browsers offer real cryptography only to pages from https or from this machine. */
export function secureCrypto(): SubtleCrypto {
  if (!globalThis.crypto?.subtle || !globalThis.indexedDB) throw new WalletProblem('insecure')
  return crypto.subtle
}

async function read(userId: number): Promise<StoredKey | undefined> {
  secureCrypto()
  return transact<StoredKey | undefined>('readonly', (table) => table.get(userId))
}

async function transact<A>(mode: IDBTransactionMode, work: (table: IDBObjectStore) => IDBRequest): Promise<A> {
  const database = await openDatabase()
  try {
    return await new Promise<A>((resolve, reject) => {
      const transaction = database.transaction(TABLE, mode)
      const request = work(transaction.objectStore(TABLE))
      transaction.oncomplete = () => resolve(request.result as A)
      transaction.onerror = transaction.onabort = () => reject(new WalletProblem('storage'))
    })
  } finally {
    database.close()
  }
}

function openDatabase(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1)
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: 'userId' })
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(new WalletProblem('storage'))
  })
}
