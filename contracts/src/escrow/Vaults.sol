// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IEscrowEvents} from "../interfaces/IEscrowEvents.sol";
import {VaultAddress} from "../libraries/VaultAddress.sol";
import {Vault} from "../Vault.sol";

/// @title Where each trader's vault is, and putting its code there.
abstract contract Vaults is IEscrowEvents {
    /// @notice Code that every trader's vault is a clone of.
    address public immutable vaultImplementation;

    /// @param coSigner account (or ERC-1271 contract) that co-signs immediate vault withdrawals. It has
    /// no say in the escrow and need not be the relayer.
    constructor(address coSigner) {
        vaultImplementation = address(new Vault(coSigner));
    }

    /// @notice Puts the code of a trader's vault on chain, if it is not there yet. Anyone may call.
    function deployVault(address owner) external returns (address vault) {
        return _ensureVault(owner);
    }

    /// @notice Address of a trader's vault, whether or not its code is on chain yet.
    function vaultOf(address owner) public view returns (address) {
        return VaultAddress.predict(vaultImplementation, owner);
    }

    function _ensureVault(address owner) internal returns (address vault) {
        vault = vaultOf(owner);
        if (vault.code.length == 0) {
            Clones.cloneDeterministicWithImmutableArgs(vaultImplementation, abi.encodePacked(owner), bytes32(0));
            emit VaultDeployed(owner, vault);
        }
    }
}
