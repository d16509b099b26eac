// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Escrow} from "../src/Escrow.sol";
import {Vault} from "../src/Vault.sol";
import {IEscrow} from "../src/interfaces/IEscrow.sol";
import {IEscrowErrors} from "../src/interfaces/IEscrowErrors.sol";
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
    uint256 internal constant BACKUP_KEY = 0xBAC;
    uint256 internal constant STRANGER_KEY = 0x666;
    uint256 internal constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
    uint128 internal constant AMOUNT = 100_500_000;
    uint128 internal constant FEE = 1_500_001;
    uint128 internal constant ARBITER_FEE = 1_000_001;
    string internal constant TERMS_TYPE =
        "Terms(bytes32 salt,address seller,address buyer,address arbiter,address backupArbiter,address token,uint128 amount,uint128 fee,uint128 arbiterFee,address feeTo,uint40 payBy,uint40 resolveBy,uint40 sunset,uint16 sunsetBuyerBps)";
    string internal constant AUTHORITY_TYPE =
        "OrderAuthority(address owner,address token,uint128 maxTotal,uint128 minPerTrade,uint128 maxPerTrade,address arbiter,address backupArbiter,address feeTo,uint16 maxFeeBps,uint16 maxArbiterFeeBps,address opener,uint32 payWindow,uint32 resolveWindow,uint32 sunsetWindow,uint16 sunsetBuyerBps,uint40 deadline,uint256 nonce)";

    address internal seller = vm.addr(SELLER_KEY);
    address internal buyer = vm.addr(BUYER_KEY);
    address internal arbiter = vm.addr(ARBITER_KEY);
    address internal backup = vm.addr(BACKUP_KEY);
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
            backupArbiter: backup,
            token: address(usdt),
            amount: AMOUNT,
            fee: FEE,
            arbiterFee: ARBITER_FEE,
            feeTo: feeTo,
            payBy: uint40(NOW + 1 hours),
            resolveBy: uint40(NOW + 1 hours + 30 days),
            sunset: uint40(NOW + 1 hours + 90 days),
            sunsetBuyerBps: 6_000
        });
    }

    function someAuthority() internal view returns (IEscrow.OrderAuthority memory) {
        return IEscrow.OrderAuthority({
            owner: seller,
            token: address(usdt),
            maxTotal: 3 * AMOUNT,
            minPerTrade: 1,
            maxPerTrade: 2 * AMOUNT,
            arbiter: arbiter,
            backupArbiter: backup,
            feeTo: feeTo,
            maxFeeBps: 200,
            maxArbiterFeeBps: 100,
            opener: address(0),
            payWindow: 2 hours,
            resolveWindow: 30 days,
            sunsetWindow: 90 days,
            sunsetBuyerBps: 6_000,
            deadline: uint40(NOW + 1 days),
            nonce: 7
        });
    }

    function fullRelease(IEscrow.Terms memory t) internal pure returns (IEscrow.Decision memory) {
        return decision(t.amount);
    }

    function decision(uint128 toBuyer) internal pure returns (IEscrow.Decision memory) {
        return IEscrow.Decision({toBuyer: toBuyer, payArbiter: false, deadline: uint40(NOW + 200 days)});
    }

    /// @dev The same terms and authority for another coin; zero is the chain's own.
    function inCoin(address token) internal view returns (IEscrow.Terms memory t, IEscrow.OrderAuthority memory a) {
        (t, a) = (someTerms(), someAuthority());
        t.token = a.token = token;
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
        return keccak256(abi.encode(keccak256(bytes(AUTHORITY_TYPE)), a));
    }

    function termsHash(IEscrow.Terms memory t) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(bytes(TERMS_TYPE)), t));
    }

    function settleHash(IEscrow.Terms memory t, IEscrow.Decision memory d) internal pure returns (bytes32) {
        bytes memory typeName =
            abi.encodePacked("Settle(Terms terms,uint128 toBuyer,bool payArbiter,uint40 deadline)", TERMS_TYPE);
        return keccak256(abi.encode(keccak256(typeName), termsHash(t), d));
    }

    /// @dev Hash of an act that nests the terms and says nothing else.
    function actHash(string memory act, IEscrow.Terms memory t) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(abi.encodePacked(act, "(Terms terms)", TERMS_TYPE));
        return keccak256(abi.encode(typeHash, termsHash(t)));
    }

    function revokeHash(IEscrow.OrderAuthority memory a) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(abi.encodePacked("RevokeAuthority(OrderAuthority authority)", AUTHORITY_TYPE));
        return keccak256(abi.encode(typeHash, authorityHash(a)));
    }

    function redirectHash(IEscrow.Redirect memory r) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(
            "Redirect(address token,address creditor,address to,uint256 amount,uint256 nonce,uint40 deadline)"
        );
        return keccak256(abi.encode(typeHash, r));
    }

    function signAuthority(IEscrow.OrderAuthority memory a) internal view returns (bytes memory) {
        return sign(SELLER_KEY, authorityHash(a));
    }

    function signMarkPaid(uint256 key, IEscrow.Terms memory t) internal view returns (bytes memory) {
        return sign(key, actHash("MarkPaid", t));
    }

    function signCancel(uint256 key, IEscrow.Terms memory t) internal view returns (bytes memory) {
        return sign(key, actHash("Cancel", t));
    }

    function signSettle(uint256 key, IEscrow.Terms memory t, IEscrow.Decision memory d)
        internal
        view
        returns (bytes memory)
    {
        return sign(key, settleHash(t, d));
    }

    function bySellerAndBuyer(IEscrow.Terms memory t, IEscrow.Decision memory d)
        internal
        view
        returns (IEscrow.Settlement memory)
    {
        return IEscrow.Settlement(t, d, signSettle(SELLER_KEY, t, d), signSettle(BUYER_KEY, t, d), "");
    }

    /// @dev A full release that both signed, as `releaseBatch` takes it.
    function asRelease(IEscrow.Settlement memory s) internal pure returns (IEscrow.Release memory one) {
        IEscrow.Terms memory t = s.terms;
        (one.salt, one.seller, one.buyer) = (t.salt, t.seller, t.buyer);
        (one.amount, one.fee, one.payBy) = (t.amount, t.fee, t.payBy);
        (one.sellerR, one.sellerVs) = compact(s.sellerSig);
        (one.buyerR, one.buyerVs) = compact(s.buyerSig);
    }

    /// @dev r, and s with the parity in its highest bit (EIP-2098).
    function compact(bytes memory signature) internal pure returns (bytes32 r, bytes32 vs) {
        uint256 s;
        assembly {
            r := mload(add(signature, 32))
            s := mload(add(signature, 64))
        }
        vs = bytes32(s | uint256(uint8(signature[64]) - 27) << 255);
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
        IEscrow.Decision memory d = decision(toBuyer);
        escrow.settle(t, d, signSettle(SELLER_KEY, t, d), signSettle(BUYER_KEY, t, d), "");
    }

    function markPaid(IEscrow.Terms memory t) internal {
        escrow.markPaid(t, signMarkPaid(BUYER_KEY, t));
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
        return abi.encodeWithSelector(IEscrowErrors.BadTerms.selector, field);
    }

    function outside(string memory field) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEscrowErrors.OutsideAuthority.selector, field);
    }

    function badSignature(address expected) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEscrowErrors.BadSignature.selector, expected);
    }

    function missing(uint256 given) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IEscrowErrors.SignaturesMissing.selector, given);
    }
}
