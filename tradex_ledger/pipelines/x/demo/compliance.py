"""Compliance jobs of the small platform: ids are uploaded, and the job tells which of those posts are gone."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import UTC, datetime

import orjson

from tradex_ledger.outside import Json

JOBS = "/2/compliance/jobs"
MADE, EXPIRES = "2024-04-01T00:00:00.000Z", "2024-04-08T00:00:00.000Z"


@dataclass
class Jobs:
    """The jobs by their ids; one is in progress until it was asked for `slow` times."""

    slow: int = 1
    uploaded: dict[str, bytes] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)

    def create(self, address: str) -> dict[str, Json]:
        """A new job, which waits for its ids."""
        job = str(len(self.asked) + 1)
        self.asked[job] = 0
        return {"data": self._told(job, "created", address)}

    def told(self, job: str, address: str) -> dict[str, Json] | None:
        """How a job is; None: there is none of that id."""
        if job not in self.asked:
            return None
        self.asked[job] += 1
        done = job in self.uploaded and self.asked[job] > self.slow
        return {"data": self._told(job, "complete" if done else "in_progress", address)}

    def notices(self, job: str, there: Container[str]) -> bytes:
        """A line for each uploaded id of a post that is not there."""
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.000Z"
        gone = [post for post in self.uploaded.get(job, b"").decode().split() if post not in there]
        told = {"action": "delete", "redacted_at": now, "reason": "deleted"}
        return b"".join(orjson.dumps({"id": post, **told}) + b"\n" for post in gone)

    def _told(self, job: str, status: str, address: str) -> dict[str, Json]:
        return {
            "id": job,
            "type": "tweets",
            "name": "tradex-ledger",
            "status": status,
            "created_at": MADE,
            "resumable": False,
            "upload_url": f"{address}/upload/{job}",
            "upload_expires_at": EXPIRES,
            "download_url": f"{address}/download/{job}",
            "download_expires_at": EXPIRES,
        }
