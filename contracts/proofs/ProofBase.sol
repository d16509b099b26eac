// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Escrow} from "../src/Escrow.sol";
import {IEscrow} from "../src/interfaces/IEscrow.sol";
import {TokenPush} from "../src/libraries/TokenPush.sol";

/// @notice The cheat codes that both forge and halmos know.
interface Vm {
    function assume(bool condition) external pure;
    function prank(address sender) external;
    function warp(uint256 timestamp) external;
    function deal(address account, uint256 balance) external;
}

/// @notice A party whose will is a variable: it agrees to everything or to nothing (ERC-1271).
contract Puppet {
    bool private agrees;

    function set(bool agrees_) external {
        agrees = agrees_;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        return agrees ? bytes4(0x1626ba7e) : bytes4(0);
    }
}

/// @notice A plain token whose payees can be barred.
contract ProofToken {
    mapping(address account => uint256) public balanceOf;
    mapping(address account => bool) public barred;

    function mint(address to, uint256 value) external {
        balanceOf[to] += value;
    }

    function bar(address account, bool on) external {
        barred[account] = on;
    }

    function transfer(address to, uint256 value) external returns (bool) {
        if (barred[to]) return false;
        balanceOf[msg.sender] -= value;
        balanceOf[to] += value;
        return true;
    }
}

/// @notice One open trade between concrete parties; what a proof is about stays symbolic.
/// @dev Parties are concrete and their will symbolic, so that a proof ranges over who agreed to what
/// without reasoning about elliptic curves; that a key's signature counts only if the curve says so is
/// the business of SignaturesProofs and the tests.
abstract contract ProofBase {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint40 internal constant NOW = 1_700_000_000;
    uint40 internal constant PAY_BY = NOW + 1 hours;
    uint40 internal constant RESOLVE_BY = NOW + 30 days;
    uint40 internal constant SUNSET = NOW + 90 days;
    uint128 internal constant AMOUNT = 1 << 20;
    address internal constant FEE_TO = address(0xFEE);
    bytes internal constant YES = hex"01";
    bytes32 internal constant OVERFLOW = keccak256(abi.encodeWithSignature("Panic(uint256)", 0x11));

    Escrow internal escrow;
    ProofToken internal token;
    Puppet internal seller;
    Puppet internal buyer;
    Puppet internal arbiter;
    Puppet internal backup;
    address internal sellerVault;
    address internal buyerVault;
    bytes32 internal id;

    function setUp() public virtual {
        vm.warp(NOW);
        escrow = new Escrow(address(0x9147));
        token = new ProofToken();
        (seller, buyer, arbiter, backup) = (new Puppet(), new Puppet(), new Puppet(), new Puppet());
        sellerVault = escrow.deployVault(address(seller));
        buyerVault = escrow.deployVault(address(buyer));
        token.mint(sellerVault, AMOUNT);
        vm.prank(address(seller));
        id = escrow.open(someTerms(), someAuthority(), "");
    }

    function someTerms() internal view returns (IEscrow.Terms memory) {
        return IEscrow.Terms({
            salt: bytes32(uint256(1)),
            seller: address(seller),
            buyer: address(buyer),
            arbiter: address(arbiter),
            backupArbiter: address(backup),
            token: address(token),
            amount: AMOUNT,
            fee: 20_001,
            arbiterFee: 10_007,
            feeTo: FEE_TO,
            payBy: PAY_BY,
            resolveBy: RESOLVE_BY,
            sunset: SUNSET,
            sunsetBuyerBps: 6_000
        });
    }

    function someAuthority() internal view returns (IEscrow.OrderAuthority memory) {
        return IEscrow.OrderAuthority({
            owner: address(seller),
            token: address(token),
            maxTotal: AMOUNT,
            minPerTrade: 1,
            maxPerTrade: AMOUNT,
            arbiter: address(arbiter),
            backupArbiter: address(backup),
            feeTo: FEE_TO,
            maxFeeBps: 300,
            maxArbiterFeeBps: 200,
            opener: address(0),
            payWindow: 2 hours,
            resolveWindow: uint32(RESOLVE_BY - PAY_BY),
            sunsetWindow: uint32(SUNSET - PAY_BY),
            sunsetBuyerBps: 6_000,
            deadline: NOW + 1 days,
            nonce: 7
        });
    }

    function pay() internal {
        vm.prank(address(buyer));
        escrow.markPaid(someTerms(), "");
    }

    function settleAs(address caller, IEscrow.Decision memory d, bool s, bool b, bool a) internal returns (bool ok) {
        bytes memory act = abi.encodeCall(
            escrow.settle, (someTerms(), d, s ? YES : bytes(""), b ? YES : bytes(""), a ? YES : bytes(""))
        );
        return call(caller, act);
    }

    /// @dev halmos lets `gasleft()` be anything: too little for a push, or so much that × 63 overflows.
    /// Both are out of the question here; that the shares themselves never overflow has its own proof,
    /// MoneyProofs.check_shares_always_exist.
    function call(address caller, bytes memory act) internal returns (bool ok) {
        bytes memory why;
        vm.prank(caller);
        (ok, why) = address(escrow).call(act);
        if (ok) return true;
        vm.assume(why.length != 4 || bytes4(why) != TokenPush.GasTooLow.selector);
        vm.assume(why.length != 36 || keccak256(why) != OVERFLOW);
    }

    function decision(uint128 toBuyer, bool payArbiter) internal pure returns (IEscrow.Decision memory) {
        return IEscrow.Decision(toBuyer, payArbiter, type(uint40).max);
    }

    /// @dev Nothing, a part, everything, and for the twins one unit too many. Where the proof is about who
    /// can be paid and not about sums: dividing a variable in every branch is more than the solver can do.
    function portion(uint8 which) internal pure returns (uint128) {
        if (which == 0) return 0;
        if (which == 1) return AMOUNT / 3;
        return which == 2 ? AMOUNT : AMOUNT + 1;
    }

    function is_(IEscrow.Status wanted) internal view returns (bool) {
        return escrow.statusOf(id) == wanted;
    }

    function isParty(address who) internal view returns (bool) {
        return who == address(seller) || who == address(buyer) || who == address(arbiter) || who == address(backup);
    }
}
