"""Lock-out after failed logins: its window, its clock and its addresses."""

import pytest

from tests.support.login import World


def test_a_lock_out_ends_when_a_failure_leaves_the_window(world: World) -> None:
    """The window slides: one more attempt is allowed when the first of five failures has left it, not before."""
    for _ in range(5):
        assert world.fails("slow", address="198.51.100.1") == 0
        world.now += 100

    assert world.fails("slow", address="198.51.100.2") == 400
    world.now += 399
    assert world.fails("slow", address="198.51.100.2") == 1
    world.now += 1
    assert world.fails("slow", address="198.51.100.2") == 0
    assert world.fails("slow", address="198.51.100.2") == 100
    world.now += 10_000
    world.lockout.prune()
    assert world.fails("slow", address="198.51.100.2") == 0


def test_a_clock_that_was_ahead_locks_out_for_one_window(world: World) -> None:
    """The window of failures that were counted an hour ahead begins when the clock is corrected."""
    world.now += 3600
    for _ in range(5):
        assert world.fails("early", address="198.51.100.3") == 0
    world.now -= 3600

    assert world.fails("early", address="198.51.100.4") == 900
    world.now += 450
    assert world.fails("early", address="198.51.100.4") == 450
    world.now += 450
    assert world.fails("early", address="198.51.100.4") == 0


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.5", "203.0.113.5", True),
        ("203.0.113.6", "203.0.113.7", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "not an address", True),
    ],
)
def test_addresses_are_counted_by_network(world: World, first: str, second: str, is_same: bool) -> None:
    """IPv6 addresses are counted by their /64 network, and IPv4 addresses in IPv6 as IPv4."""
    for number in range(6):
        assert world.fails(f"name.{number}", address=first) == 0

    assert (world.fails("name.last", address=second) > 0) == is_same
