"""A site of a workspace, and who visits it, in this process."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Self

from httpx2 import Response
from starlette.testclient import TestClient

from tests.kit.small import Ticking
from tradex_ledger.web.app import make_app
from tradex_ledger.web.site import Alone, Many, Site
from tradex_ledger.workspace import Workspace

HOST = "127.0.0.1:8000"
HERE = f"http://{HOST}"
KEY = "the-key-of-a-test"
SECRET = b"what forms are bound with"
OWN = {"origin": HERE, "sec-fetch-site": "same-origin"}
"""What a browser says of a form of this site."""


@dataclass
class Visit:
    """A person at a site."""

    site: Site
    client: TestClient
    folder: Path

    @classmethod
    def to(
        cls,
        folder: Path,
        actor: str = "maria",
        *,
        who: Alone | Many | None = None,
        clock: Callable[[], datetime] | None = None,
        signed_in: bool = True,
    ) -> Self:
        """Somebody who has opened the printed address of the site of a workspace."""
        workspace = Workspace.open(folder, actor=actor, reading=True, clock=Ticking())
        site = Site(
            look=workspace.audit.look,
            opened=lambda: workspace,
            who=who or Alone(KEY, actor),
            hosts=frozenset({HOST}),
            secret=SECRET,
            clock=clock or Ticking(),
            open_as=lambda name: Workspace.open(folder, actor=name, clock=Ticking()),
        )
        client = TestClient(make_app(site), base_url=HERE, follow_redirects=False)
        made = cls(site, client, folder)
        if signed_in and who is None:
            assert made.get(f"/?key={KEY}").status_code == 303
        return made

    def get(self, path: str, **headers: str) -> Response:
        """A page."""
        return self.client.get(path, headers=headers)

    def text(self, path: str) -> str:
        """The text of a page that is there."""
        found = self.get(path)
        assert found.status_code == 200, found.text
        return found.text

    def form(self, path: str, deed: str) -> dict[str, str]:
        """The hidden fields of the form of a deed, as a page has them."""
        page = self.text(path)
        found = re.search(rf'<form method="post" action="[^"]*/{deed}".*?</form>', page, re.DOTALL)
        assert found, f"no form to {deed}"
        fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', found[0])
        return {name: unescape(value) for name, value in fields}

    def send(self, run_id: str, deed: str, fields: dict[str, str], **headers: str) -> Response:
        """A form, as a browser sends it from a page of this site, unless `headers` say otherwise."""
        said = {**OWN, **headers}
        return self.client.post(f"/runs/{run_id}/{deed}", data=fields, headers={k: v for k, v in said.items() if v})

    def close(self) -> None:
        """Leave."""
        self.client.close()
        self.site.workspace.close()
