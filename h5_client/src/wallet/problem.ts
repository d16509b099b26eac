/** Something about the key on this device that the person has to know or do. */
export type WalletProblemCode = 'insecure' | 'missing' | 'other' | 'storage' | 'passphrase' | 'file' | 'unsafe-number'

export class WalletProblem extends Error {
  constructor(readonly code: WalletProblemCode) {
    super(code)
  }
}
