"""`python cli.py …` in a checkout is `tradex …`; the wheel does not carry this file."""

from tradex_ledger.cli.signals import start

if __name__ == "__main__":
    start()
