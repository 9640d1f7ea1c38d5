import pytest

from projections.search.paging import Order
from protocol.errors import SearchOptionInvalid
from protocol.rql.tree import Property
from services.searching.options import SIZE_DEFAULT, Options, read_options

N = Property(("attributes", "n"))
ID = Property(("thingId",))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", Options()),
        ("size(200)", Options(size=200)),
        (
            "sort(+attributes/n,-thingId)",
            Options(sort=(Order(N), Order(ID, descending=True)), sort_text="+attributes/n,-thingId"),
        ),
        ("sort( thingId)", Options(sort=(Order(ID),), sort_text="+thingId")),
        ("size(3),cursor(abc)", Options(size=3, cursor="abc")),
        ("limit(10, 5)", Options(offset=10, size=5)),
        (
            "sort(-thingId), limit(0,5)",
            Options(sort=(Order(ID, descending=True),), sort_text="-thingId", offset=0, size=5),
        ),
    ],
)
def test_options_are_read_as_ditto_writes_them(text: str, options: Options) -> None:
    assert read_options(text) == options


def test_a_page_has_the_usual_size_where_none_is_asked_for() -> None:
    assert read_options("sort(+thingId)").page_size == SIZE_DEFAULT
    assert read_options("size(1)").page_size == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("size(0)", "from 1 to 200"),
        ("size(201)", "from 1 to 200"),
        ("size(٣)", "from 1 to 200"),
        ("size(1),size(2)", "given twice"),
        ("size(1),", "written as name"),
        ("size", "written as name"),
        ("pages(1)", "none of sort, size, cursor, limit"),
        ("limit(5)", "limit.offset,count."),
        ("limit(0,201)", "from 1 to 200"),
        ("limit(0,5),size(5)", "excludes size and cursor"),
        ("cursor(abc),limit(0,5)", "excludes size and cursor"),
        ("sort(thingId)", "needs . or - before it"),
        ("sort(+thingId,)", "needs . or - before it"),
        ("sort(+attributes)", "only by a single value"),
        ("sort(+features/*/properties/p)", "only by a single value"),
        ("sort(+nonsense)", "expected was"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_said_why(text: str, why: str) -> None:
    with pytest.raises(SearchOptionInvalid, match=why):
        read_options(text)
