// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../src/interfaces/IEscrow.sol";
import {ProofBase} from "./ProofBase.sol";

/// @notice Who can move a trade. Each `check_` holds for all arguments; each `twin_` drops one
/// assumption and must have a counterexample.
contract WhoProofs is ProofBase {
    struct Voices {
        bool seller;
        bool buyer;
        bool arbiter;
    }

    // ── one signer never settles ───────────────────────────────────────────────────────────────

    function check_one_signer_never_settles(Voices memory v, address caller, uint128 toBuyer, bool fee, uint40 time)
        public
    {
        vm.assume(!isParty(caller));
        vm.assume(!(v.seller && v.buyer) && !(v.seller && v.arbiter) && !(v.buyer && v.arbiter));
        assert(!settledBy(v, caller, toBuyer, fee, time));
    }

    function twin_one_signer_never_settles(Voices memory v, address caller, uint128 toBuyer, bool fee, uint40 time)
        public
    {
        vm.assume(!isParty(caller));
        assert(!settledBy(v, caller, toBuyer, fee, time));
    }

    // ── a caller is one voice, however many signatures the same party adds ─────────────────────

    function check_a_caller_is_one_voice(uint8 who, uint128 toBuyer, bool fee, uint40 time) public {
        vm.assume(who < 3);
        Voices memory own = Voices(who == 0, who == 1, who == 2);
        assert(!settledBy(own, callerOf(who), toBuyer, fee, time));
    }

    function twin_a_caller_is_one_voice(uint8 who, uint128 toBuyer, bool fee, uint40 time) public {
        vm.assume(who < 3);
        Voices memory more = Voices(who == 0, true, who == 2);
        assert(!settledBy(more, callerOf(who), toBuyer, fee, time));
    }

    // ── the arbiter's time ends, the backup's begins ───────────────────────────────────────────

    function check_the_arbiter_is_nobody_after_resolveBy(bool sellerToo, uint128 toBuyer, uint40 time) public {
        vm.assume(time > RESOLVE_BY);
        assert(!settledWithArbiter(sellerToo, toBuyer, time));
    }

    function twin_the_arbiter_is_nobody_after_resolveBy(bool sellerToo, uint128 toBuyer, uint40 time) public {
        assert(!settledWithArbiter(sellerToo, toBuyer, time));
    }

    function check_the_backup_is_nobody_until_resolveBy(uint128 toBuyer, uint40 time) public {
        vm.assume(time <= RESOLVE_BY);
        assert(!settledWithBackup(toBuyer, time));
    }

    function twin_the_backup_is_nobody_until_resolveBy(uint128 toBuyer, uint40 time) public {
        assert(!settledWithBackup(toBuyer, time));
    }

    // ── the arbiter earns by signing only ──────────────────────────────────────────────────────

    function check_an_arbiter_who_did_not_sign_earns_nothing(uint128 toBuyer, bool fee, uint40 time) public {
        settledBy(Voices(true, true, false), address(this), toBuyer, fee, time);
        assert(token.balanceOf(address(arbiter)) == 0 && token.balanceOf(address(backup)) == 0);
    }

    function twin_an_arbiter_who_did_not_sign_earns_nothing(uint128 toBuyer, bool fee, uint40 time) public {
        settledBy(Voices(true, true, true), address(this), toBuyer, fee, time);
        assert(token.balanceOf(address(arbiter)) == 0 && token.balanceOf(address(backup)) == 0);
    }

    // ── the buyer's acts are the buyer's ───────────────────────────────────────────────────────

    function check_nobody_cancels_for_the_buyer(address caller, bool signed, uint40 time) public {
        vm.assume(caller != address(buyer));
        assert(!cancelledBy(caller, signed, time));
    }

    function twin_nobody_cancels_for_the_buyer(address caller, bool signed, uint40 time) public {
        assert(!cancelledBy(caller, signed, time));
    }

    function check_nobody_marks_paid_for_the_buyer(address caller, bool signed, uint40 time) public {
        vm.assume(caller != address(buyer));
        assert(!markedPaidBy(caller, signed, time));
    }

    function twin_nobody_marks_paid_for_the_buyer(address caller, bool signed, uint40 time) public {
        assert(!markedPaidBy(caller, signed, time));
    }

    // ── what happens ───────────────────────────────────────────────────────────────────────────

    function settledBy(Voices memory v, address caller, uint128 toBuyer, bool fee, uint40 time)
        private
        returns (bool)
    {
        vm.warp(time);
        seller.set(v.seller);
        buyer.set(v.buyer);
        arbiter.set(v.arbiter);
        backup.set(v.arbiter);
        return settleAs(caller, decision(toBuyer, fee), v.seller, v.buyer, v.arbiter);
    }

    function settledWithArbiter(bool sellerToo, uint128 toBuyer, uint40 time) private returns (bool) {
        vm.warp(time);
        seller.set(true);
        buyer.set(true);
        arbiter.set(true);
        return settleAs(address(this), decision(toBuyer, false), sellerToo, !sellerToo, true);
    }

    function settledWithBackup(uint128 toBuyer, uint40 time) private returns (bool) {
        vm.warp(time);
        buyer.set(true);
        backup.set(true);
        return settleAs(address(this), decision(toBuyer, false), false, true, true);
    }

    function cancelledBy(address caller, bool signed, uint40 time) private returns (bool ok) {
        vm.warp(time);
        bytes memory act = abi.encodeCall(escrow.cancel, (someTerms(), signed ? YES : bytes("")));
        vm.prank(caller);
        (ok,) = address(escrow).call(act);
    }

    function markedPaidBy(address caller, bool signed, uint40 time) private returns (bool ok) {
        vm.warp(time);
        bytes memory act = abi.encodeCall(escrow.markPaid, (someTerms(), signed ? YES : bytes("")));
        vm.prank(caller);
        (ok,) = address(escrow).call(act);
    }

    function callerOf(uint8 who) private view returns (address) {
        return who == 0 ? address(seller) : who == 1 ? address(buyer) : address(arbiter);
    }
}
