// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Types, events and errors of the escrow.
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

    /// @notice What one trade is about. Amounts are in the token's smallest unit.
    /// @param salt makes the id of otherwise equal trades different
    /// @param seller owner of the vault that the coins come from
    /// @param buyer owner of the vault that a release goes to
    /// @param arbiter third signer; can never move coins alone
    /// @param amount everything that is escrowed, fee included
    /// @param fee taken from `amount` on a full release, in proportion on a split
    /// @param payBy last second (unix time) at which the buyer may mark the trade paid
    struct Terms {
        bytes32 salt;
        address seller;
        address buyer;
        address arbiter;
        address token;
        uint128 amount;
        uint128 fee;
        address feeTo;
        uint40 payBy;
    }

    /// @notice A seller's standing consent, signed with the order, to open trades inside these limits.
    /// @param opener only account that may open trades with it; zero lets anybody
    /// @param payWindow longest time in seconds between opening and `Terms.payBy`
    /// @param maxTotal sum of the amounts of all trades opened with it
    struct OrderAuthority {
        address owner;
        address token;
        uint128 maxTotal;
        uint128 maxPerTrade;
        address arbiter;
        address feeTo;
        uint16 maxFeeBps;
        address opener;
        uint32 payWindow;
        uint40 deadline;
        uint256 nonce;
    }

    /// @notice A decision that needs two of seller, buyer and arbiter.
    /// @param toBuyer gross share of the buyer, from which the fee part is taken
    /// @param deadline last second (unix time) at which the decision may be executed
    struct Settle {
        bytes32 tradeId;
        uint128 toBuyer;
        uint40 deadline;
    }

    event Opened(
        bytes32 indexed tradeId, address indexed seller, address indexed buyer, bytes32 authority, Terms terms
    );
    event Paid(bytes32 indexed tradeId);
    event Cancelled(bytes32 indexed tradeId);
    event Expired(bytes32 indexed tradeId);
    event Settled(bytes32 indexed tradeId, uint128 toBuyer, uint128 feePart);
    event Credited(address indexed token, address indexed to, uint256 amount);
    event CreditWithdrawn(address indexed token, address indexed to, uint256 amount);
    event AuthorityRevoked(bytes32 indexed authority, address indexed owner);
    event VaultDeployed(address indexed owner, address vault);

    error AlreadyUsed(bytes32 tradeId);
    error WrongStatus(bytes32 tradeId, Status status);
    error BadTerms(string field);
    error OutsideAuthority(string field);
    error BadSignature(address expected);
    error SignaturesMissing(uint256 given);
    error DeadlinePassed(uint256 deadline);
    error TooEarly(uint256 until);
    error InexactTransfer(uint256 expected, uint256 received);
    error TransferRefused(address token, address to);
    error NoCredit();
}
