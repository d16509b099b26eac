import pytest

from plugins.payment_gateways.sepa.gateway import SepaGateway
from plugins.payment_gateways.sepa.settings import SepaSettings
from portal.plugin_api import InvalidInput

GATEWAY = SepaGateway()


def check(**values: str) -> dict[str, str]:
    return GATEWAY.check_account(values, SepaSettings())


def test_an_account_is_stored_without_blanks_in_upper_case() -> None:
    account = check(iban="de89 3704 0044 0532 0130 00", holder="  Maria   Schmidt ")
    assert account == {"iban": "DE89370400440532013000", "holder": "Maria Schmidt", "bic": ""}
    assert GATEWAY.account_label(account) == "DE89 … 3000"
    assert GATEWAY.account_identity(account) == "DE89370400440532013000"


def test_an_account_outside_the_eea_needs_its_bic() -> None:
    values = {"iban": "GB33BUKB20201555555555", "holder": "Maria Schmidt"}
    with pytest.raises(InvalidInput, match="needs its BIC") as caught:
        check(**values)
    assert caught.value.field == "bic"
    assert check(**values, bic="bukbgb22")["bic"] == "BUKBGB22"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("iban", "DE89370400440532013001"),
        ("iban", "US64SVBKUS6S3300958879"),
        ("iban", ""),
        ("iban", "DE89"),
        ("iban", "XX89370400440532013000"),
        ("iban", "BR1500000000000010932840814P2"),
        ("holder", ""),
        ("holder", "x" * 71),
        ("holder", "Maria\nSchmidt"),
        ("holder", "Maria\u2028Schmidt"),
        ("bic", "NOTABIC"),
        ("bic", "COBAZZFFXXX"),
        ("swift", "COBADEFFXXX"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: str) -> None:
    values = {"iban": "DE89370400440532013000", "holder": "Maria Schmidt"} | {field: value}
    with pytest.raises(InvalidInput) as caught:
        check(**values)
    assert caught.value.field == field
    assert caught.value.hint
