"""A scene: some seconds of real sockets, and what has to be found in their log."""

import dataclasses
import typing


@dataclasses.dataclass
class Found:
    """A finding that has to be there: any of these culprits and mechanisms is right."""

    culprits: tuple
    mechanisms: tuple
    # In seconds of the log, to 10 %.
    limit: float | None = None
    # The traits that the victims share.
    common: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Scene:
    name: str
    title: str
    play: typing.Callable
    # Every cause that there is; none on a harmless day.
    causes: tuple = ()
    # A second of the play is so many seconds of the log.
    stretch: float = 20


INCIDENTS, HARMLESS = [], []


def incident(title, culprits, mechanisms, limit=None, common=None):
    """Of one cause."""
    return incidents(title, Found(culprits, mechanisms, limit, common or {}))


def incidents(title, *causes):
    """Of several causes."""

    def add(play):
        INCIDENTS.append(Scene(play.__name__, title, play, causes))
        return play

    return add


def harmless(title):
    def add(play):
        HARMLESS.append(Scene(play.__name__, title, play))
        return play

    return add
