"""A dataset: logic has a number, and does not change behind it."""

from __future__ import annotations

import pytest

from tests.domain.facts import (
    FINGERPRINT,
    OTHER_FINGERPRINT,
    logic,
    registered,
    versioned,
)
from tests.given import Fact, given
from tradex_ledger.domain.dataset import Dataset, LogicChangedError, SameLogicError

STREAM = "dataset-silver_x"
REFERENCES = logic()["references"]


def test_a_dataset_is_registered():
    dataset = (
        given(Dataset)
        .when(
            lambda _: Dataset.register(
                "silver_x", pipeline="x", layer="silver", partition_column="event_date", component=None, by="ana"
            )
        )
        .then(registered())
    )
    assert dataset.id == STREAM


@pytest.mark.norm("N25")
def test_logic_is_numbered_from_one_with_its_full_text():
    given(Dataset, registered(), stream=STREAM).when(
        lambda d: d.version_logic(logic(), reason="first version", by="ana")
    ).then(versioned())
    given(Dataset, registered(), versioned(), stream=STREAM).when(
        lambda d: d.version_logic(logic(OTHER_FINGERPRINT), reason="another rule", by="ana")
    ).then(versioned(2, fingerprint=OTHER_FINGERPRINT, reason="another rule"))


@pytest.mark.norm("N25")
def test_the_same_logic_gets_no_second_number():
    given(Dataset, registered(), versioned(), stream=STREAM).when(
        lambda d: d.version_logic(logic(), reason="again", by="ana")
    ).refused(SameLogicError)


@pytest.mark.norm("N27")
def test_changed_logic_without_a_new_version_is_refused_with_the_mend():
    for text, references in (("select 2", REFERENCES), ("select 1", [])):
        error = (
            given(Dataset, registered(), versioned(), stream=STREAM)
            .when(
                lambda d, t=text, r=references: d.check_logic(OTHER_FINGERPRINT, t, r)  # type: ignore[misc]
            )
            .refused(LogicChangedError)
        )
        assert "tradex dataset bump silver_x" in error.mend


def test_logic_is_the_same_by_its_meaning_or_by_its_very_text():
    story = given(Dataset, registered(), versioned(), stream=STREAM)
    story.aggregate.check_logic(FINGERPRINT, "select   1 -- respelt", REFERENCES)
    # Another DuckDB may parse the same text into another form.
    story.aggregate.check_logic(OTHER_FINGERPRINT, "select 1", REFERENCES)


@pytest.mark.norm("N27")
def test_an_older_version_is_not_the_current_logic():
    newer = versioned(2, fingerprint=OTHER_FINGERPRINT, definition="select 2")
    given(Dataset, registered(), versioned(), newer, stream=STREAM).when(
        lambda d: d.check_logic(FINGERPRINT, "select 1", REFERENCES)
    ).refused(LogicChangedError, "version 2")


def test_a_publication_takes_the_lock_and_changes_nothing_else():
    facts = {"run": "bf-1", "logic_version": 1, "partitions": 2, "rows": 6}
    given(Dataset, registered(), versioned(), stream=STREAM).when(
        lambda d: d.publish("bf-1", logic_version=1, partitions=2, rows=6, by="ana")
    ).then(Fact(Dataset.Published, "ana", facts))
