"""camt.053 files for tests, as a bank writes them."""

from dataclasses import dataclass
from xml.sax.saxutils import escape

SELLER_IBAN = "DE89370400440532013000"
BUYER_IBAN = "FR1420041010050500013M02606"


@dataclass(frozen=True)
class Entry:
    """One movement; what is empty is left out of the file."""

    amount: str = "92.00"
    currency: str = "EUR"
    payer: str = "Bob Demo"
    payer_iban: str = BUYER_IBAN
    reference: str = ""
    text: str = ""
    end_to_end: str = "NOTPROVIDED"
    bank_ref: str = "2026030200001"
    entry_ref: str = ""
    status: str = "BOOK"
    direction: str = "CRDT"
    reversal: bool = False
    returned: bool = False
    booked: str = "2026-03-02"

    def xml(self, version: int = 8) -> str:
        """The <Ntry> element."""
        status = f"<Cd>{self.status}</Cd>" if version >= 7 else self.status
        return (
            "<Ntry>"
            + _element("NtryRef", self.entry_ref)
            + f'<Amt Ccy="{self.currency}">{self.amount}</Amt>'
            + f"<CdtDbtInd>{self.direction}</CdtDbtInd>"
            + ("<RvslInd>true</RvslInd>" if self.reversal else "")
            + f"<Sts>{status}</Sts><BookgDt><Dt>{self.booked}</Dt></BookgDt>"
            + _element("AcctSvcrRef", self.bank_ref)
            + "<BkTxCd><Prtry><Cd>166</Cd></Prtry></BkTxCd><NtryDtls>"
            + self.details(version)
            + "</NtryDtls></Ntry>\n"
        )

    def details(self, version: int = 8, amount: bool = False) -> str:
        """The <TxDtls> element, with its own amount in a batch."""
        # Until version 06 a party stands by itself; from 07 on it is a choice.
        name = _element("Nm", self.payer)
        party = f"<Pty>{name}</Pty>" if version >= 7 else name
        account = _element("IBAN", self.payer_iban)
        own = (
            f'<Amt Ccy="{self.currency}">{self.amount}</Amt><CdtDbtInd>{self.direction}</CdtDbtInd>'
        )
        reference = _element("Ref", self.reference)
        return (
            f"<TxDtls><Refs><EndToEndId>{escape(self.end_to_end)}</EndToEndId></Refs>"
            + (own if amount or 3 <= version <= 6 else "")
            + "<RltdPties>"
            + (f"<Dbtr>{party}</Dbtr>" if self.payer else "")
            + (f"<DbtrAcct><Id>{account}</Id></DbtrAcct>" if account else "")
            + "</RltdPties><RmtInf>"
            + _element("Ustrd", self.text)
            + (f"<Strd><CdtrRefInf>{reference}</CdtrRefInf></Strd>" if reference else "")
            + "</RmtInf>"
            + ("<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>" if self.returned else "")
            + "</TxDtls>"
        )


def camt053(
    *entries: Entry | str, account: str = SELLER_IBAN, message_id: str = "MSG-1", version: int = 8
) -> bytes:
    """A statement of one account. An entry may be given as XML."""
    lines = "".join(e if isinstance(e, str) else e.xml(version) for e in entries)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version:02d}">\n'
        f"<BkToCstmrStmt><GrpHdr><MsgId>{message_id}</MsgId>"
        "<CreDtTm>2026-03-02T18:00:00</CreDtTm></GrpHdr>\n"
        f"<Stmt><Id>S1</Id><CreDtTm>2026-03-02T18:00:00</CreDtTm>"
        f"<Acct><Id><IBAN>{account}</IBAN></Id></Acct>\n"
        f"{lines}</Stmt></BkToCstmrStmt></Document>\n"
    ).encode()


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else ""
