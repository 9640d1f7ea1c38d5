"""The data of the demonstration as Ditto envelopes; where it comes from is said in ``data/README.md``."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources

import orjson

NAMESPACE = "org.twinlog.demo"
AIRPORT_NAMESPACE = "org.twinlog.airports"
PROPERTIES_PATH = "/features/thermometer/properties"


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A weather station: where it stands and which file holds its year."""

    code: str
    place: str
    file: str

    @property
    def thing_id(self) -> str:
        """The id of the station's twin."""
        return f"{NAMESPACE}:station-{self.code}"

    def twin(self, owner: str, device: str) -> bytes:
        """The twin as it is before its first reading, with a policy for two subjects: its owner and the station."""
        entries = {
            "owner": {"subjects": {owner: {"type": "backend app"}}, "resources": _everything("READ", "WRITE")},
            "station": {"subjects": {device: {"type": "device"}}, "resources": _thermometer("READ", "WRITE")},
        }
        return orjson.dumps(
            {
                "attributes": {"place": self.place, "airport": f"{AIRPORT_NAMESPACE}:{self.code}"},
                "features": {"thermometer": {"properties": {"unit": "°F"}}},
                "_policy": {"entries": entries},
            }
        )


def _everything(*permissions: str) -> dict[str, object]:
    return {kind: {"grant": permissions, "revoke": ()} for kind in ("thing:/", "policy:/", "message:/")}


def _thermometer(*permissions: str) -> dict[str, object]:
    return {f"thing:{PROPERTIES_PATH}": {"grant": permissions, "revoke": ()}}


STATIONS = (
    Station(code="SEA", place="Seattle", file="seattle-temps.csv.gz"),
    Station(code="SFO", place="San Francisco", file="sf-temps.csv.gz"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One hourly temperature; ``number`` counts from 1 in its station's file and makes the message id."""

    station: Station
    number: int
    measured_at: datetime
    fahrenheit: float

    @property
    def message_id(self) -> str:
        """The same for the same reading in every run, so that a repeated run stores nothing twice."""
        return f"demo-{self.station.code}-{self.number}"

    def value(self) -> dict[str, object]:
        """The new properties of the thermometer."""
        return {"fahrenheit": self.fahrenheit, "measuredAt": self.measured_at.isoformat(), "unit": "°F"}

    def envelope(self, sent_at: float) -> bytes:
        """The Ditto command a device would publish; ``sent_at`` (seconds since 1970) comes back with the event."""
        topic = self.station.thing_id.replace(":", "/", 1) + "/things/twin/commands/modify"
        headers = {"response-required": False, "demo-sent-at": sent_at, "correlation-id": self.message_id}
        return orjson.dumps({"topic": topic, "headers": headers, "path": PROPERTIES_PATH, "value": self.value()})


def airports() -> Iterator[tuple[str, bytes]]:
    """Thing id and twin of every airport."""
    for row in _rows("airports.csv.gz"):
        location = {"latitude": float(row["latitude"]), "longitude": float(row["longitude"])}
        attributes = {name: row[name] for name in ("name", "city", "state", "country")} | {"location": location}
        yield f"{AIRPORT_NAMESPACE}:{row['iata']}", orjson.dumps({"attributes": attributes})


def readings() -> list[Reading]:
    """Every reading of both stations in the order of time, as the stations would have sent them."""
    found = [
        Reading(station=station, number=number, measured_at=_moment(row["date"]), fahrenheit=float(row["temp"]))
        for station in STATIONS
        for number, row in enumerate(_rows(station.file), start=1)
    ]
    return sorted(found, key=lambda reading: (reading.measured_at, reading.station.code))


def _moment(text: str) -> datetime:
    return datetime.strptime(text[:16], "%Y/%m/%d %H:%M").replace(tzinfo=UTC)


def _rows(file: str) -> Iterator[dict[str, str]]:
    packed = resources.files("services.demo").joinpath("data", file).read_bytes()
    yield from csv.DictReader(io.StringIO(gzip.decompress(packed).decode()))
