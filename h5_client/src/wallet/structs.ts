/**
 * The escrow contract's structs for EIP-712: names, types and order are those of the contract. Acts on a
 * trade nest its terms.
 */
export const STRUCTS = {
  Terms: [
    ['salt', 'bytes32'],
    ['seller', 'address'],
    ['buyer', 'address'],
    ['arbiter', 'address'],
    ['backupArbiter', 'address'],
    ['token', 'address'],
    ['amount', 'uint128'],
    ['fee', 'uint128'],
    ['arbiterFee', 'uint128'],
    ['feeTo', 'address'],
    ['payBy', 'uint40'],
    ['resolveBy', 'uint40'],
    ['sunset', 'uint40'],
    ['sunsetBuyerBps', 'uint16'],
  ],
  OrderAuthority: [
    ['owner', 'address'],
    ['token', 'address'],
    ['maxTotal', 'uint128'],
    ['minPerTrade', 'uint128'],
    ['maxPerTrade', 'uint128'],
    ['arbiter', 'address'],
    ['backupArbiter', 'address'],
    ['feeTo', 'address'],
    ['maxFeeBps', 'uint16'],
    ['maxArbiterFeeBps', 'uint16'],
    ['opener', 'address'],
    ['payWindow', 'uint32'],
    ['resolveWindow', 'uint32'],
    ['sunsetWindow', 'uint32'],
    ['sunsetBuyerBps', 'uint16'],
    ['deadline', 'uint40'],
    ['nonce', 'uint256'],
  ],
  Settle: [
    ['terms', 'Terms'],
    ['toBuyer', 'uint128'],
    ['payArbiter', 'bool'],
    ['deadline', 'uint40'],
  ],
  MarkPaid: [['terms', 'Terms']],
  Cancel: [['terms', 'Terms']],
} as const
