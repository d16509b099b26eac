// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Escrow} from "../src/Escrow.sol";
import {Vault} from "../src/Vault.sol";
import {IEscrow} from "../src/interfaces/IEscrow.sol";
import {IVault} from "../src/interfaces/IVault.sol";
import {TestUSDT} from "../src/demo/TestUSDT.sol";
import {Vm} from "./Vm.sol";

/// @notice People, a funded seller, valid terms and signatures: each test changes one thing.
/// @dev Type hashes and domains are written out again here, so that a slip in the source shows.
abstract contract EscrowTestBase {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 internal constant NOW = 1_700_000_000;
    uint256 internal constant SELLER_KEY = 0xA11CE;
    uint256 internal constant BUYER_KEY = 0xB0B;
    uint256 internal constant ARBITER_KEY = 0xA4B;
    uint256 internal constant PLATFORM_KEY = 0x9147;
    uint256 internal constant STRANGER_KEY = 0x666;
    uint256 internal constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint128 internal constant AMOUNT = 100_500_000;
    uint128 internal constant FEE = 1_500_001;

    address internal seller = vm.addr(SELLER_KEY);
    address internal buyer = vm.addr(BUYER_KEY);
    address internal arbiter = vm.addr(ARBITER_KEY);
    address internal platform = vm.addr(PLATFORM_KEY);
    address internal stranger = vm.addr(STRANGER_KEY);
    address internal feeTo = address(0xFEE);

    Escrow internal escrow;
    TestUSDT internal usdt;
    address internal sellerVault;
    address internal buyerVault;

    function setUp() public virtual {
        vm.warp(NOW);
        escrow = new Escrow(platform);
        usdt = new TestUSDT();
        sellerVault = escrow.vaultOf(seller);
        buyerVault = escrow.vaultOf(buyer);
        usdt.mint(sellerVault, 10 * AMOUNT);
    }

    // ── valid objects ──────────────────────────────────────────────────────────────────────────

    function someTerms() internal view returns (IEscrow.Terms memory) {
        return IEscrow.Terms({
            salt: bytes32(uint256(1)),
            seller: seller,
            buyer: buyer,
            arbiter: arbiter,
            token: address(usdt),
            amount: AMOUNT,
            fee: FEE,
            feeTo: feeTo,
            payBy: uint40(NOW + 1 hours)
        });
    }

    function someAuthority() internal view returns (IEscrow.OrderAuthority memory) {
        return IEscrow.OrderAuthority({
            owner: seller,
            token: address(usdt),
            maxTotal: 3 * AMOUNT,
            maxPerTrade: 2 * AMOUNT,
            arbiter: arbiter,
            feeTo: feeTo,
            maxFeeBps: 200,
            opener: address(0),
            payWindow: 2 hours,
            deadline: uint40(NOW + 1 days),
            nonce: 7
        });
    }

    function fullRelease(IEscrow.Terms memory t) internal view returns (IEscrow.Settle memory) {
        return decision(t, t.amount);
    }

    function decision(IEscrow.Terms memory t, uint128 toBuyer) internal view returns (IEscrow.Settle memory) {
        return IEscrow.Settle({tradeId: escrow.tradeIdOf(t), toBuyer: toBuyer, deadline: uint40(NOW + 30 days)});
    }

    // ── signatures ─────────────────────────────────────────────────────────────────────────────

    function domain(string memory name, address verifier, uint256 chain) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                chain,
                verifier
            )
        );
    }

    function signIn(bytes32 domainHash, uint256 key, bytes32 structHash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked(hex"1901", domainHash, structHash)));
        return abi.encodePacked(r, s, v);
    }

    function sign(uint256 key, bytes32 structHash) internal view returns (bytes memory) {
        return signIn(domain("OTC Portal Escrow", address(escrow), block.chainid), key, structHash);
    }

    function authorityHash(IEscrow.OrderAuthority memory a) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "OrderAuthority(address owner,address token,uint128 maxTotal,uint128 maxPerTrade,address arbiter,address feeTo,uint16 maxFeeBps,address opener,uint32 payWindow,uint40 deadline,uint256 nonce)"
                ),
                a
            )
        );
    }

    function settleHash(IEscrow.Settle memory s) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256("Settle(bytes32 tradeId,uint128 toBuyer,uint40 deadline)"), s));
    }

    function actHash(string memory typeName, bytes32 subject) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(bytes(typeName)), subject));
    }

    function signAuthority(IEscrow.OrderAuthority memory a) internal view returns (bytes memory) {
        return sign(SELLER_KEY, authorityHash(a));
    }

    function signMarkPaid(uint256 key, IEscrow.Terms memory t) internal view returns (bytes memory) {
        return sign(key, actHash("MarkPaid(bytes32 tradeId)", escrow.tradeIdOf(t)));
    }

    function signCancel(uint256 key, IEscrow.Terms memory t) internal view returns (bytes memory) {
        return sign(key, actHash("Cancel(bytes32 tradeId)", escrow.tradeIdOf(t)));
    }

    function signSettle(uint256 key, IEscrow.Settle memory s) internal view returns (bytes memory) {
        return sign(key, settleHash(s));
    }

    // ── steps ──────────────────────────────────────────────────────────────────────────────────

    function open(IEscrow.Terms memory t) internal returns (bytes32) {
        IEscrow.OrderAuthority memory a = someAuthority();
        return escrow.open(t, a, signAuthority(a));
    }

    function openWith(IEscrow.Terms memory t, IEscrow.OrderAuthority memory a) internal returns (bytes32) {
        return escrow.open(t, a, signAuthority(a));
    }

    function openPaid() internal returns (IEscrow.Terms memory t) {
        t = someTerms();
        open(t);
        escrow.markPaid(t, signMarkPaid(BUYER_KEY, t));
    }

    function settleBySellerAndBuyer(IEscrow.Terms memory t, uint128 toBuyer) internal {
        IEscrow.Settle memory s = decision(t, toBuyer);
        escrow.settle(t, s, signSettle(SELLER_KEY, s), signSettle(BUYER_KEY, s), "");
    }

    // ── checks ─────────────────────────────────────────────────────────────────────────────────

    error Unequal(string what, uint256 left, uint256 right);

    function eq(uint256 left, uint256 right, string memory what) internal pure {
        if (left != right) revert Unequal(what, left, right);
    }

    function eq(address left, address right, string memory what) internal pure {
        eq(uint160(left), uint160(right), what);
    }

    function status(bytes32 tradeId, IEscrow.Status wanted) internal view {
        eq(uint256(escrow.statusOf(tradeId)), uint256(wanted), "status");
    }

    function badTerms(string memory field) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEscrow.BadTerms.selector, field);
    }

    function outside(string memory field) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEscrow.OutsideAuthority.selector, field);
    }

    function badSignature(address expected) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEscrow.BadSignature.selector, expected);
    }

    function missing(uint256 given) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEscrow.SignaturesMissing.selector, given);
    }
}
