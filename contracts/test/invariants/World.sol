// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IEscrow} from "../../src/interfaces/IEscrow.sol";
import {EscrowTestBase} from "../EscrowTestBase.sol";
import {ContractWallet, HostileToken, StandardToken} from "../tokens/Tokens.sol";
import {Wallets} from "../wallets/Wallets.sol";

/// @notice Where fees go: takes the chain's own coin, refuses it or burns its gas, by mood.
contract FicklePayee {
    uint8 public mood;

    function set(uint8 mood_) external {
        mood = mood_;
    }

    receive() external payable {
        if (mood == 1) revert("not today");
        if (mood == 2) while (true) {}
    }
}

/// @notice People of every kind, coins of every kind, and a book of what each of them must have.
/// @dev The book is kept by the tests' own arithmetic; the invariants compare the contracts with it.
abstract contract World is EscrowTestBase, Wallets {
    enum Kind {
        KEY,
        WALLET,
        SAFE,
        DELEGATED
    }

    struct Party {
        address account;
        uint256 key;
        Kind kind;
    }

    struct Trade {
        IEscrow.Terms terms;
        Party seller;
        Party buyer;
        Party arbiter;
        Party backup;
        IEscrow.Status status;
        uint256 exits;
    }

    uint256 internal constant SECOND_KEY = 0x5AFE;
    uint256 internal constant TOKENS = 5;

    Party[] internal sellers;
    Party[] internal buyers;
    Party[] internal arbiters;
    address[] public tokens;
    address[] public accounts;
    mapping(address account => Party) internal ownerOf;
    address internal bank = address(0xBA2C);
    FicklePayee internal payee;
    HostileToken internal hostile;
    HostileToken internal reentrant;
    StandardToken public taxed;

    Trade[] internal trades;
    uint256[] internal live;
    uint256 public clock = NOW;
    uint256 public acts;
    uint256 internal entropy;
    uint256 internal salts;

    /// @notice What an account must have of a token: its balance plus its credit.
    mapping(address token => mapping(address account => uint256)) public due;
    mapping(address token => uint256) public minted;
    mapping(address token => uint256) public opened;
    mapping(address token => uint256) public closed;
    mapping(address token => uint256) public donated;
    mapping(address token => uint256) public fees;
    mapping(address token => uint256) public arbiterFees;
    mapping(bytes32 authority => uint256) public usedUnder;
    mapping(bytes32 authority => uint256) public mostUnder;
    mapping(bytes32 authority => bool) public revoked;
    bytes32[] public authorities;
    mapping(string act => uint256) public done;

    modifier timely(uint256 seed) {
        vm.setEvmVersion("prague");
        vm.warp(clock);
        acts++;
        entropy = seed;
        _;
    }

    constructor() {
        setUp();
        vm.setEvmVersion("prague");
        payee = new FicklePayee();
        feeTo = address(payee);
        hostile = new HostileToken();
        reentrant = new HostileToken();
        taxed = new StandardToken(1);
        tokens = [address(usdt), address(new StandardToken(0)), address(hostile), address(reentrant), address(0)];
        note(bank);
        for (uint256 i = 0; i < 4; i++) {
            sellers.push(newParty(Kind(i), 0x1000 + i));
            buyers.push(newParty(Kind(i), 0x2000 + i));
        }
        for (uint256 i = 0; i < 3; i++) arbiters.push(newParty(Kind(i), 0x3000 + i));
        note(feeTo);
        note(stranger);
    }

    // ── people ─────────────────────────────────────────────────────────────────────────────────

    function newParty(Kind kind, uint256 key) private returns (Party memory p) {
        p = Party(vm.addr(key), key, kind);
        if (kind == Kind.WALLET) p.account = address(new ContractWallet(vm.addr(key)));
        if (kind == Kind.SAFE) p.account = newSafe(key, SECOND_KEY);
        if (kind == Kind.DELEGATED) delegate(p.account, address(new ContractWallet(vm.addr(codeKey(key)))));
        note(p.account);
        note(escrow.vaultOf(p.account));
        ownerOf[p.account] = ownerOf[escrow.vaultOf(p.account)] = p;
    }

    function note(address account) private {
        accounts.push(account);
        for (uint256 i = 0; i < tokens.length; i++) due[tokens[i]][account] = balance(tokens[i], account);
    }

    /// @dev A delegated account signs by its key or by its code, a Safe by both owners.
    function signAs(Party memory p, bytes32 structHash) internal returns (bytes memory) {
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", escrow.domainSeparator(), structHash));
        if (p.kind == Kind.SAFE) return signAsSafe(p.account, p.key, SECOND_KEY, digest);
        if (p.kind == Kind.DELEGATED && pick(2) == 0) return signDigest(codeKey(p.key), digest);
        return signDigest(p.key, digest);
    }

    /// @dev The key that the code of a delegated account accepts: everybody's own.
    function codeKey(uint256 key) private pure returns (uint256) {
        return key + 0xC0DE0000;
    }

    // ── chance ─────────────────────────────────────────────────────────────────────────────────

    function pick(uint256 below) internal returns (uint256) {
        entropy = uint256(keccak256(abi.encode(entropy)));
        return entropy % below;
    }

    function anyLive() internal returns (uint256) {
        return live[pick(live.length)];
    }

    // ── coins ──────────────────────────────────────────────────────────────────────────────────

    function balance(address token, address account) public view returns (uint256) {
        return token == address(0) ? account.balance : StandardToken(token).balanceOf(account);
    }

    function mint(address token, address to, uint256 amount) internal {
        if (token == address(0)) vm.deal(to, to.balance + amount);
        else StandardToken(token).mint(to, amount);
        minted[token] += amount;
        due[token][to] += amount;
    }

    /// @return balances what all accounts have of a token
    /// @return credits what the escrow owes them of it
    /// @return wrong an account whose balance and credit are not its due, if there is one
    function standing(address token) external view returns (uint256 balances, uint256 credits, address wrong) {
        for (uint256 i = 0; i < accounts.length; i++) {
            uint256 has = balance(token, accounts[i]);
            uint256 owed = escrow.credit(token, accounts[i]);
            (balances, credits) = (balances + has, credits + owed);
            if (has + owed != due[token][accounts[i]]) wrong = accounts[i];
        }
    }

    function tradeCount() external view returns (uint256) {
        return trades.length;
    }

    function authorityCount() external view returns (uint256) {
        return authorities.length;
    }

    function escrowAddress() external view returns (address) {
        return address(escrow);
    }

    function tradeAt(uint256 index) external view returns (Trade memory) {
        return trades[index];
    }

    function liveTrades() external view returns (uint256[] memory) {
        return live;
    }

    // ── the book ───────────────────────────────────────────────────────────────────────────────

    function bookOpened(Trade memory trade, address from) internal {
        trade.status = IEscrow.Status.OPEN;
        live.push(trades.length);
        trades.push(trade);
        opened[trade.terms.token] += trade.terms.amount;
        due[trade.terms.token][from] -= trade.terms.amount;
    }

    /// @dev Everything back to the seller.
    function bookReturned(uint256 index) internal {
        IEscrow.Terms memory t = trades[index].terms;
        due[t.token][escrow.vaultOf(t.seller)] += t.amount;
        bookClosed(index);
    }

    /// @dev Both fees in proportion, parts taken from the buyer rounded down.
    function bookSplit(uint256 index, uint256 toBuyer, address paidArbiter) internal {
        IEscrow.Terms memory t = trades[index].terms;
        uint256 arbiterFee = paidArbiter == address(0) ? 0 : t.arbiterFee;
        uint256 feePart = toBuyer * t.fee / t.amount;
        uint256 buyerNet = toBuyer - feePart - toBuyer * arbiterFee / t.amount;
        due[t.token][escrow.vaultOf(t.buyer)] += buyerNet;
        due[t.token][t.feeTo] += feePart;
        if (arbiterFee != 0) due[t.token][paidArbiter] += arbiterFee;
        due[t.token][escrow.vaultOf(t.seller)] += t.amount - buyerNet - feePart - arbiterFee;
        fees[t.token] += feePart;
        arbiterFees[t.token] += arbiterFee;
        bookClosed(index);
    }

    function bookClosed(uint256 index) private {
        Trade storage trade = trades[index];
        trade.status = IEscrow.Status.CLOSED;
        trade.exits++;
        closed[trade.terms.token] += trade.terms.amount;
        for (uint256 i = 0; i < live.length; i++) {
            if (live[i] != index) continue;
            live[i] = live[live.length - 1];
            live.pop();
            return;
        }
    }

    function thirdOf(Trade memory trade) internal view returns (Party memory) {
        return clock > trade.terms.resolveBy ? trade.backup : trade.arbiter;
    }
}
