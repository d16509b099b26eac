// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Signatures} from "../../src/libraries/Signatures.sol";
import {ContractWallet} from "../tokens/Tokens.sol";
import {BombingWallet, BurningWallet} from "../tokens/Wallets.sol";
import {EscrowTestBase} from "../EscrowTestBase.sol";

contract SignaturesTest is EscrowTestBase {
    function isBy(address signer, bytes32 digest, bytes calldata signature) external view returns (bool) {
        return Signatures.isBy(signer, digest, signature);
    }

    function isByKey(address signer, bytes32 digest, bytes32 r, bytes32 vs) external view returns (bool) {
        return Signatures.isByKey(signer, digest, r, vs);
    }

    function testFuzz_a_key_signs_for_itself_and_for_nobody_else(uint256 key, bytes32 digest, address other) public view {
        key = 1 + key % (CURVE_ORDER - 1);
        bytes memory sig = signed(key, digest);
        yes(vm.addr(key), digest, sig);
        if (other != vm.addr(key) && other.code.length == 0) no(other, digest, sig);
        no(vm.addr(key), keccak256(abi.encode(digest)), sig);
    }

    function testFuzz_the_twin_with_a_high_s_is_refused(bytes32 digest) public view {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(SELLER_KEY, digest);
        no(seller, digest, abi.encodePacked(r, bytes32(CURVE_ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27)));
    }

    function testFuzz_other_vs_and_lengths_are_refused(bytes32 digest, uint8 v) public view {
        (uint8 good, bytes32 r, bytes32 s) = vm.sign(SELLER_KEY, digest);
        if (v != good) no(seller, digest, abi.encodePacked(r, s, v));
        no(seller, digest, abi.encodePacked(r, s));
        no(seller, digest, abi.encodePacked(r, s, good, uint8(0)));
        no(seller, digest, "");
    }

    function testFuzz_a_key_signs_in_two_words_what_it_signs_in_three(uint256 key, bytes32 digest, address other)
        public
        view
    {
        key = 1 + key % (CURVE_ORDER - 1);
        (bytes32 r, bytes32 vs) = compact(signed(key, digest));
        eq(this.isByKey(vm.addr(key), digest, r, vs) ? 1 : 0, 1, "signer");
        eq(this.isByKey(other, digest, r, vs) ? 1 : 0, other == vm.addr(key) ? 1 : 0, "other");
        eq(this.isByKey(vm.addr(key), digest, r, vs ^ bytes32(uint256(1) << 255)) ? 1 : 0, 0, "other parity");
        eq(this.isByKey(vm.addr(key), keccak256(abi.encode(digest)), r, vs) ? 1 : 0, 0, "other digest");
    }

    function test_nobody_signs_in_two_words() public view {
        eq(this.isByKey(address(0), keccak256("x"), 0, 0) ? 1 : 0, 0, "no point of the curve");
    }

    function test_nobody_is_not_a_signer() public view {
        no(address(0), bytes32(uint256(1)), new bytes(65));
        no(address(0), bytes32(uint256(1)), abi.encodePacked(bytes32(0), bytes32(0), uint8(27)));
    }

    function test_a_contract_wallet_signs_by_its_own_rule() public {
        address wallet = address(new ContractWallet(seller));
        yes(wallet, bytes32(uint256(1)), signed(SELLER_KEY, bytes32(uint256(1))));
        no(wallet, bytes32(uint256(1)), signed(BUYER_KEY, bytes32(uint256(1))));
    }

    function test_a_delegated_account_signs_with_its_key() public {
        vm.etch(seller, abi.encodePacked(hex"ef0100", address(usdt)));
        yes(seller, bytes32(uint256(1)), signed(SELLER_KEY, bytes32(uint256(1))));
        no(seller, bytes32(uint256(1)), signed(BUYER_KEY, bytes32(uint256(1))));
    }

    function test_a_contract_that_is_no_wallet_is_refused() public view {
        no(address(usdt), bytes32(uint256(1)), signed(SELLER_KEY, bytes32(uint256(1))));
    }

    function test_a_wallet_cannot_burn_or_bomb() public {
        address burning = address(new BurningWallet());
        uint256 before = gasleft();
        no(burning, bytes32(0), "x");
        no(address(new BombingWallet()), bytes32(0), "x");
        if (before - gasleft() > 1_500_000) revert Unequal("gas", before - gasleft(), 1_500_000);
    }

    function signed(uint256 key, bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function yes(address signer, bytes32 digest, bytes memory sig) private view {
        eq(this.isBy(signer, digest, sig) ? 1 : 0, 1, "by");
    }

    function no(address signer, bytes32 digest, bytes memory sig) private view {
        eq(this.isBy(signer, digest, sig) ? 1 : 0, 0, "by");
    }
}
