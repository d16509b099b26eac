"""The box at the end of a start: where to go, who to be, and what is not real."""

from importlib import import_module

from portal.run.plan import Plan

WIDTH = 78


def banner(plan: Plan, seconds: float) -> list[str]:
    """The lines of the box."""
    settings = plan.settings
    lines = [
        f"{settings.portal_name} is running ({seconds:.1f} s). Ctrl-C stops it.",
        "",
        f"Back office   {settings.base_url}/backoffice/",
        f"H5 client     {settings.base_url}/",
    ]
    if settings.is_demo:
        lines += ["", "Demo people (password, secret for the authenticator app)", *_people()]
        lines += ["", "What is not real here", *_demo_parts(plan)]
    return _boxed(lines)


def _people() -> list[str]:
    people = import_module("portal.demo").people()
    # Those with a wallet key are programs; a person makes the key on their own device.
    return [
        f"  {person.role:<11} {person.email:<21} {person.password:<16} TOTP {person.totp_secret}"
        for person in people
        if person.wallet_key is None
    ]


def _demo_parts(plan: Plan) -> list[str]:
    prices = "recorded exchange answers" if plan.recorded_prices else "real exchanges"
    chain = "a development chain on this machine" if plan.local_chain else "CHAIN_RPC_URLS"
    coin = "a demo coin without value" if plan.local_chain else "the configured contracts"
    database = "on this machine, under VAR_DIR" if plan.postgres else "DATABASE_URL"
    return [
        f"  Prices      {prices}",
        f"  Chain       {chain}",
        f"  Coin        {coin}",
        "  Bank        statements that you make and import yourself",
        f"  Database    PostgreSQL {database}",
    ]


def _boxed(lines: list[str]) -> list[str]:
    width = max(WIDTH, *(len(line) for line in lines))
    middle = [f"│ {line:<{width}} │" for line in lines]
    return ["", f"╭{'─' * (width + 2)}╮", *middle, f"╰{'─' * (width + 2)}╯", ""]
