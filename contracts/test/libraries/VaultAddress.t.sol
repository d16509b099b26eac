// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {EscrowTestBase} from "../EscrowTestBase.sol";

contract VaultAddressTest is EscrowTestBase {
    function testFuzz_a_vaults_address_is_openzeppelins(address owner) public view {
        address expected = Clones.predictDeterministicAddressWithImmutableArgs(
            escrow.vaultImplementation(), abi.encodePacked(owner), bytes32(0), address(escrow)
        );
        eq(escrow.vaultOf(owner), expected, "vault");
    }

    function testFuzz_and_the_code_is_put_there(address owner) public {
        address vault = escrow.vaultOf(owner);
        eq(escrow.deployVault(owner), vault, "vault");
        eq(vault.code.length, 65, "code");
    }
}
