import pytest

from tests.integration.cli.program import Twinlog
from tests.integration.cli.test_serving import put

pytestmark = pytest.mark.timeout(300)  # many processes, each of which takes seconds to start


async def test_things_are_counted_and_summed_up_as_a_table_and_as_lines(twinlog: Twinlog) -> None:
    async with twinlog.serving():
        for number in range(3):
            attributes = {"state": "on" if number else "off", "n": 2**62 + number}
            assert await put(twinlog, f"farm.one:t{number}", {"attributes": attributes}) == 201
        done = await twinlog("search", "exists(attributes/n)", "--json", "--fields", "thingId")
        assert len(done.lines) == 3
        asked = ("aggregate", "--group", "attributes/state", "--select", "count,sum(attributes/n)")
        done = await twinlog(*asked, "--json")
        assert done.text.splitlines() == [
            '{"group":{"attributes/state":"on"},"values":{"count":2,"sum(attributes/n)":9223372036854775811}}',
            '{"group":{"attributes/state":"off"},"values":{"count":1,"sum(attributes/n)":4611686018427387904}}',
        ]
        shown = await twinlog(*asked, "-n", "1")
        assert all(word in shown.text for word in ("attributes/state", '"on"', "9223372036854775811"))
        assert "more groups" in shown.err
        refused = await twinlog("aggregate", "--select", "avg(x)")
        assert (refused.code, refused.out) == (2, b"")
        assert "position 5" in refused.err


async def test_without_a_service_it_says_so(twinlog: Twinlog) -> None:
    ended = await twinlog("aggregate")
    assert (ended.code, ended.out) == (3, b"")
