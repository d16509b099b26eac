// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What a trade in the escrow is described by.
/// @notice A trade is named by the EIP-712 struct hash of its `Terms`; every later call presents the
/// full terms again, so the contract stores one status slot per trade and nothing else.
interface IEscrow {
    /// @notice NONE → OPEN → PAID → CLOSED; OPEN may close directly. A closed id never reopens.
    enum Status {
        NONE,
        OPEN,
        PAID,
        CLOSED
    }

    /// @notice What one trade is about. Amounts are in the token's smallest unit, times are unix seconds.
    /// @param salt makes the id of otherwise equal trades different
    /// @param seller who gives the coins; what returns goes to this person's vault
    /// @param buyer owner of the vault that a release goes to
    /// @param arbiter third signer up to and including `resolveBy`; can never move coins alone
    /// @param backupArbiter takes the arbiter's place after `resolveBy`; may be the same account
    /// @param token the coin's contract; zero for the chain's own coin
    /// @param amount everything that is escrowed, fees included
    /// @param fee taken from `amount` on a full release, in proportion on a split
    /// @param arbiterFee what the arbiter may earn by a decision that says so; borne in proportion
    /// @param feeTo where `fee` is paid
    /// @param payBy last second at which the buyer may mark the trade paid
    /// @param resolveBy last second at which the arbiter, not the backup, is the third signer
    /// @param sunset last second before anybody may trigger the agreed split of a paid trade
    /// @param sunsetBuyerBps the buyer's gross share of that split, in hundredths of a percent
    struct Terms {
        bytes32 salt;
        address seller;
        address buyer;
        address arbiter;
        address backupArbiter;
        address token;
        uint128 amount;
        uint128 fee;
        uint128 arbiterFee;
        address feeTo;
        uint40 payBy;
        uint40 resolveBy;
        uint40 sunset;
        uint16 sunsetBuyerBps;
    }

    /// @notice A seller's standing consent, signed with the order, to open trades inside these limits.
    /// @dev What the terms may not choose freely is compared for equality, so that whoever opens with
    /// it cannot shorten the time to resolve or worsen the split at the sunset.
    /// @param owner the seller, from whose vault the coins come
    /// @param maxTotal sum of the amounts of all trades opened with it
    /// @param maxFeeBps,maxArbiterFeeBps highest fees, in hundredths of a percent of a trade's amount
    /// @param opener only account that may open trades with it; zero lets anybody
    /// @param payWindow longest time in seconds between opening and `Terms.payBy`
    /// @param resolveWindow seconds from `Terms.payBy` to `Terms.resolveBy`, exactly
    /// @param sunsetWindow seconds from `Terms.payBy` to `Terms.sunset`, exactly
    /// @param sunsetBuyerBps `Terms.sunsetBuyerBps`, exactly
    /// @param deadline last second at which it opens trades
    struct OrderAuthority {
        address owner;
        address token;
        uint128 maxTotal;
        uint128 minPerTrade;
        uint128 maxPerTrade;
        address arbiter;
        address backupArbiter;
        address feeTo;
        uint16 maxFeeBps;
        uint16 maxArbiterFeeBps;
        address opener;
        uint32 payWindow;
        uint32 resolveWindow;
        uint32 sunsetWindow;
        uint16 sunsetBuyerBps;
        uint40 deadline;
        uint256 nonce;
    }

    /// @notice What two of seller, buyer and arbiter agree on. Signed as `Settle`, together with the terms.
    /// @param toBuyer gross share of the buyer, from which fees are taken
    /// @param payArbiter whether `Terms.arbiterFee` is paid; then the arbiter must be one of the signers
    /// @param deadline last second at which the decision may be executed
    struct Decision {
        uint128 toBuyer;
        bool payArbiter;
        uint40 deadline;
    }

    /// @notice One element of a batch: what `settle` takes.
    /// @param sellerSig,buyerSig,arbiterSig empty where a party did not sign
    struct Settlement {
        Terms terms;
        Decision decision;
        bytes sellerSig;
        bytes buyerSig;
        bytes arbiterSig;
    }

    /// @notice One element of a batch of full releases: what is its own of the terms, and two signatures of
    /// keys over the `Settle` that gives everything to the buyer, compact as in EIP-2098.
    /// @param sellerVs,buyerVs the parity of the point in the highest bit, s in the others
    struct Release {
        bytes32 salt;
        address seller;
        address buyer;
        uint128 amount;
        uint128 fee;
        uint40 payBy;
        bytes32 sellerR;
        bytes32 sellerVs;
        bytes32 buyerR;
        bytes32 buyerVs;
    }

    /// @notice An order to pay a credit elsewhere, for a payee that the token refuses to pay.
    /// @param creditor whom the credit belongs to: an account, or a trader's vault
    /// @param to where the coins go instead
    /// @param amount part of the credit, in the token's smallest unit
    /// @param nonce any number that the signer has not used for this before
    /// @param deadline last second at which the order is accepted
    struct Redirect {
        address token;
        address creditor;
        address to;
        uint256 amount;
        uint256 nonce;
        uint40 deadline;
    }
}
