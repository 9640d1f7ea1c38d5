"""The announcer and its ears, put together from the settings."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass

from projections.deadlines import Claims, DeadlinesReader
from protocol.announcements.decide import Rules
from services.amqp.connection import Link
from services.announcer.acknowledging import Acknowledging
from services.announcer.announcer import Announcer
from services.announcer.meters import Meters
from services.announcer.publishing import AnnouncementPublisher, KeptInLog
from services.announcer.recording import Recorder
from services.core import Core, now
from services.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcing:
    """Takes acknowledgements wherever messages are consumed, and announces where it is told to."""

    acknowledging: Acknowledging
    announcer: Announcer
    publisher: AnnouncementPublisher | None

    def work(self) -> Iterator[tuple[str, Coroutine[object, object, None]]]:
        """What has to run for as long as the process announces."""
        if self.publisher is not None:
            yield "announcements", self.publisher.run()
        yield "announcer", self.announcer.run()


def open_announcing(settings: Settings, core: Core, link: Callable[[str], Link] | None) -> Announcing:
    """Over the core; ``link`` makes a named link to the broker, if there is one."""
    meters = Meters(core.metrics)
    reader = DeadlinesReader(core.pool, randomization=settings.announcement_randomization)
    recorder = Recorder(core.store, now)
    publisher = None if link is None else AnnouncementPublisher(link("announcements"))
    announcer = Announcer(
        claims=Claims(core.pool, uuid.uuid4().hex),
        reader=reader,
        recorder=recorder,
        publisher=publisher or KeptInLog(),
        commanding=core.commanding,
        clock=now,
        rules=Rules(grace=settings.announcement_grace, longest_ack_timeout=settings.announcement_max_ack_timeout),
        meters=meters,
        waking=core.waking,
    )
    acknowledging = Acknowledging(reader=reader, recorder=recorder, meters=meters)
    return Announcing(acknowledging=acknowledging, announcer=announcer, publisher=publisher)
