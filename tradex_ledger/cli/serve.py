"""`tradex serve`: the page that its people open every day."""

from __future__ import annotations

from pathlib import Path

import click

from tradex_ledger.cli.common import Call, command
from tradex_ledger.errors import UsageError

_top = click.Group()
"""Its command stands at the top of `tradex`; a group is what `command` adds to."""


@command(
    _top,
    "serve",
    example="tradex serve\ntradex serve --port 8080\n"
    "tradex serve --socket ledger.sock --user-header X-Forwarded-User --host ledger.example",
)
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="On this machine only; else one that is free.")
@click.option("--socket", type=click.Path(path_type=Path), metavar="FILE", help="A Unix socket, for a proxy.")
@click.option("--user-header", metavar="NAME", help="The header in which the proxy says who asks.")
@click.option(
    "--user-secret",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="A secret that the proxy sends as X-Tradex-Secret: without a socket, only who has it may name somebody.",
)
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="A name that the page is asked by; repeatable.")
def serve(
    call: Call,
    port: int,
    socket: Path | None,
    user_header: str | None,
    user_secret: Path | None,
    hosts: tuple[str, ...],
) -> None:
    """Serve the page of a workspace on this machine, until Ctrl-C: what waits for a person, runs, datasets, the log.

    The printed address holds a key: who opens it acts as you. For several persons, put a proxy before it that signs
    them in, and says who asks in a header; that is believed on a Unix socket, or from who has a shared secret.
    """
    if user_header is not None and socket is None and user_secret is None:
        raise UsageError(
            "--user-header on a port would let any process of this machine be anybody",
            mend="listen on a Unix socket (--socket FILE), or share a secret with the proxy (--user-secret FILE)",
        )
    if user_header is None and socket is not None:
        raise UsageError("--socket is for a proxy that says who asks", mend="name its header: --user-header NAME")
    from tradex_ledger.web.serve import Served, serve

    secret = None if user_secret is None else user_secret.read_text(encoding="utf-8").strip()
    if secret == "":
        raise UsageError(f"{user_secret} holds no secret", mend="write one into it: openssl rand -hex 32 > FILE")
    look, served = call.look(), Served(port=port, socket=socket, user_header=user_header, secret=secret, hosts=hosts)
    serve(
        look, call.actor, served, lambda address: call.result({"address": address}, lambda show, _: show.line(address))
    )
