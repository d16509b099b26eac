/** The escrow contract's structs for EIP-712: names, types and order are those of `IEscrow`. */
export const STRUCTS = {
  Terms: [
    ['salt', 'bytes32'],
    ['seller', 'address'],
    ['buyer', 'address'],
    ['arbiter', 'address'],
    ['token', 'address'],
    ['amount', 'uint128'],
    ['fee', 'uint128'],
    ['feeTo', 'address'],
    ['payBy', 'uint40'],
  ],
  OrderAuthority: [
    ['owner', 'address'],
    ['token', 'address'],
    ['maxTotal', 'uint128'],
    ['maxPerTrade', 'uint128'],
    ['arbiter', 'address'],
    ['feeTo', 'address'],
    ['maxFeeBps', 'uint16'],
    ['opener', 'address'],
    ['payWindow', 'uint32'],
    ['deadline', 'uint40'],
    ['nonce', 'uint256'],
  ],
  Settle: [
    ['tradeId', 'bytes32'],
    ['toBuyer', 'uint128'],
    ['deadline', 'uint40'],
  ],
  MarkPaid: [['tradeId', 'bytes32']],
  Cancel: [['tradeId', 'bytes32']],
} as const
