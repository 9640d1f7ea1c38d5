import pytest

from tests.integration.cli.program import SECONDS, Twinlog
from tests.integration.cli.test_serving import put
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(1_200)  # many processes, each of which takes seconds to start


async def test_things_are_counted_and_summed_up_as_a_table_and_as_lines(twinlog: Twinlog) -> None:
    async with twinlog.serving():
        for number in range(3):
            attributes = {"state": "on" if number else "off", "n": 2**62 + number}
            assert await put(twinlog, f"farm.one:t{number}", {"attributes": attributes}) == 201

        async def all_are_found() -> bool:
            done = await twinlog("search", "exists(attributes/n)", "--json", "--fields", "thingId")
            return len(done.lines) == 3

        await eventually(all_are_found, within=SECONDS)
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
