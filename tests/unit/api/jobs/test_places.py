"""How clients that stay share their places."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from api.access.keyring import Keyring
from api.jobs.places import PlaceKind, Places
from shared.errors import OverloadedError, RateLimitedError

KIND = PlaceKind(4, "uploads are coming in", "MAX_UPLOADS")


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


def take_all(places: Places, owner: str, held: ExitStack) -> int:
    """How many the owner gets."""
    for count in range(10):
        try:
            places.require_room(owner)
        except OverloadedError:
            return count
        held.enter_context(places.counted(owner))
    return 10


def test_a_single_owner_may_have_every_place(held: ExitStack) -> None:
    places = Places(KIND, Keyring(("one",)))

    assert take_all(places, "a", held) == 4
    with pytest.raises(OverloadedError, match="MAX_UPLOADS"):
        places.require_room("a")


def test_one_of_several_keys_leaves_places_to_others(held: ExitStack) -> None:
    places = Places(KIND, Keyring(("one", "two")))

    assert [take_all(places, owner, held) for owner in ("a", "b", "c")] == [2, 1, 1]
    with pytest.raises(RateLimitedError, match="left to others"):
        places.require_share("a")
    # Who waits for a place that a slow one may give up has none yet.
    places.require_share("d")


def test_a_place_is_given_back_at_its_end() -> None:
    places = Places(PlaceKind(1, "x", "Y"), Keyring())
    with places.held("a"), pytest.raises(OverloadedError):
        places.require_room("b")

    places.require_room("b")
