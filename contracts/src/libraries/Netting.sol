// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Sums what a batch owes to each payee in each token, so that each is paid once.
/// @dev Sums live in transient storage (a lookup costs 100 gas however many payees there are); memory
/// holds the list of who is owed anything. `take` clears a sum, so that a second batch in the same
/// transaction starts from nothing.
library Netting {
    /// @dev Keeps our slots apart from any other user of transient storage in the contract.
    uint256 private constant SEED = uint256(keccak256("portal.escrow.netting"));

    /// @notice Who is owed something, in order of first mention.
    struct Book {
        address[] tokens;
        address[] payees;
        uint256 count;
    }

    /// @param most how many different payees there can be
    function book(uint256 most) internal pure returns (Book memory) {
        return Book(new address[](most), new address[](most), 0);
    }

    /// @notice Adds to what a payee is owed. Nothing owed is nothing noted.
    function owe(Book memory b, address token, address payee, uint256 amount) internal {
        if (amount == 0) return;
        bytes32 slot = _slot(token, payee);
        uint256 before;
        assembly ("memory-safe") {
            before := tload(slot)
        }
        if (before == 0) {
            (b.tokens[b.count], b.payees[b.count]) = (token, payee);
            b.count++;
        }
        uint256 sum = before + amount;
        assembly ("memory-safe") {
            tstore(slot, sum)
        }
    }

    /// @notice Reads and clears what one payee is owed.
    function take(address token, address payee) internal returns (uint256 amount) {
        bytes32 slot = _slot(token, payee);
        assembly ("memory-safe") {
            amount := tload(slot)
            tstore(slot, 0)
        }
    }

    function _slot(address token, address payee) private pure returns (bytes32 slot) {
        uint256 seed = SEED;
        assembly ("memory-safe") {
            mstore(0, xor(seed, token))
            mstore(32, payee)
            slot := keccak256(0, 64)
        }
    }
}
