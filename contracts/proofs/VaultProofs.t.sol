// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IVault} from "../src/interfaces/IVault.sol";
import {Escrow} from "../src/Escrow.sol";
import {Vault} from "../src/Vault.sol";
import {Signatures} from "../src/libraries/Signatures.sol";
import {ProofBase, ProofToken, Puppet} from "./ProofBase.sol";

/// @notice How coins leave a trader's vault, and what counts as a signature.
contract VaultProofs is ProofBase {
    uint128 private constant HELD = 5_000;
    Vault private vault;
    Puppet private platform;

    function setUp() public override {
        vm.warp(NOW);
        (seller, platform, token) = (new Puppet(), new Puppet(), new ProofToken());
        escrow = new Escrow(address(platform));
        vault = Vault(payable(escrow.deployVault(address(seller))));
        token.mint(address(vault), HELD);
    }

    function check_only_the_escrow_pulls(address caller, uint64 amount) public {
        vm.assume(caller != address(escrow));
        assert(!pulled(caller, amount));
    }

    function twin_only_the_escrow_pulls(address caller, uint64 amount) public {
        assert(!pulled(caller, amount));
    }

    function check_nobody_withdraws_alone(bool owner, bool platform_, address caller, uint64 amount, uint40 time)
        public
    {
        vm.assume(!(owner && platform_) && caller != address(seller) && caller != address(platform));
        assert(!withdrawn(owner, platform_, caller, amount, time));
    }

    function twin_nobody_withdraws_alone(bool owner, bool platform_, address caller, uint64 amount, uint40 time)
        public
    {
        vm.assume(caller != address(seller) && caller != address(platform));
        assert(!withdrawn(owner, platform_, caller, amount, time));
    }

    function check_no_exit_before_its_delay(uint40 asked, uint40 taken, address caller, uint64 amount) public {
        vm.assume(asked <= taken && taken < uint256(asked) + 2 days && asked < type(uint40).max - 30 days);
        assert(!exited(asked, taken, caller, amount));
    }

    function twin_no_exit_before_its_delay(uint40 asked, uint40 taken, address caller, uint64 amount) public {
        vm.assume(asked <= taken && asked < type(uint40).max - 30 days);
        assert(!exited(asked, taken, caller, amount));
    }

    function check_the_owner_alone_gets_everything_out(uint40 asked, uint40 taken, address caller) public {
        vm.assume(asked < type(uint40).max - 30 days);
        vm.assume(taken >= uint256(asked) + 2 days && taken <= uint256(asked) + 9 days);
        assert(exited(asked, taken, caller, type(uint64).max));
        assert(token.balanceOf(address(0xE1)) == HELD);
    }

    function twin_the_owner_alone_gets_everything_out(uint40 asked, uint40 taken, address caller) public {
        vm.assume(asked < type(uint40).max - 30 days);
        assert(exited(asked, taken, caller, type(uint64).max));
    }

    function check_nobody_asks_an_exit_for_the_owner(address caller, bool signed, uint64 amount) public {
        vm.assume(caller != address(seller));
        assert(!asked_(caller, signed, amount));
    }

    function twin_nobody_asks_an_exit_for_the_owner(address caller, bool signed, uint64 amount) public {
        assert(!asked_(caller, signed, amount));
    }

    /// @dev For an account without code, only what the curve recovers to counts, and only with a low s.
    function check_a_key_signs_by_the_curve_alone(bytes32 digest, bytes32 r, bytes32 s, uint8 v) public view {
        address signer = address(0x51);
        bool good = this.isBy(signer, digest, abi.encodePacked(r, s, v));
        assert(!good || (ecrecover(digest, v, r, s) == signer && uint256(s) <= HALF_ORDER));
    }

    function twin_a_key_signs_by_the_curve_alone(bytes32 digest, bytes32 r, bytes32 s, uint8 v) public view {
        assert(!this.isBy(address(0x51), digest, abi.encodePacked(r, s, v)));
    }

    function check_two_words_sign_by_the_curve_alone(bytes32 digest, bytes32 r, bytes32 vs) public view {
        (uint8 v, bytes32 s) = (vs >> 255 == 0 ? 27 : 28, vs & ~bytes32(uint256(1) << 255));
        bool good = Signatures.isByKey(address(0x51), digest, r, vs);
        assert(!good || (ecrecover(digest, v, r, s) == address(0x51) && uint256(s) <= HALF_ORDER));
    }

    function twin_two_words_sign_by_the_curve_alone(bytes32 digest, bytes32 r, bytes32 vs) public view {
        assert(!Signatures.isByKey(address(0x51), digest, r, vs));
    }

    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    function isBy(address signer, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return Signatures.isBy(signer, digest, signature);
    }

    // ── what happens ───────────────────────────────────────────────────────────────────────────

    function pulled(address caller, uint64 amount) private returns (bool ok) {
        vm.prank(caller);
        (ok,) = address(vault).call(abi.encodeCall(vault.pull, (address(token), amount)));
    }

    function withdrawn(bool owner, bool platform_, address caller, uint64 amount, uint40 time)
        private
        returns (bool ok)
    {
        vm.warp(time);
        seller.set(owner);
        platform.set(platform_);
        bytes memory act = abi.encodeCall(vault.withdraw, (outflow(amount), YES, YES));
        vm.prank(caller);
        (ok,) = address(vault).call(act);
    }

    function exited(uint40 asked, uint40 taken, address caller, uint64 amount) private returns (bool ok) {
        vm.warp(asked);
        vm.prank(address(seller));
        vault.requestExit(outflow(amount), "");
        vm.warp(taken);
        vm.prank(caller);
        (ok,) = address(vault).call(abi.encodeCall(vault.exit, (outflow(amount))));
    }

    function asked_(address caller, bool signed, uint64 amount) private returns (bool ok) {
        bytes memory act = abi.encodeCall(vault.requestExit, (outflow(amount), signed ? YES : bytes("")));
        vm.prank(caller);
        (ok,) = address(vault).call(act);
    }

    function outflow(uint64 amount) private view returns (IVault.Outflow memory) {
        return IVault.Outflow(address(token), address(0xE1), amount, 1, type(uint40).max);
    }
}
