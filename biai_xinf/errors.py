"""What can go wrong, as one tree; every message is a sentence a person can act on.

BiaiXinfError
├── MissingExtra          a package that an extra of ours brings is not installed
├── BadFile               a file a person wrote is wrong: `file:line: field: what is wrong`
├── UnknownName           no model spec, recipe or database of that name
├── NothingFits           no recipe of a spec fits the cluster
├── UidTaken              the uid runs something that is no recipe of the spec
├── LaunchFailed          Xinference could not load the model
├── Interrupted           a person stopped it; the message says what remains
├── WrongAnswers          the model answers, but not what its probe expects
├── OtherVectors          an embedder makes other vectors than those that are stored
├── QuestionFailed        a question could not be answered from the database
│   └── QueryRejected     the database takes this query for wrong; another one may do
├── LocalServiceFailed    the local Xinference did not start, or could not be stopped
├── PlanMovedOn           a kept plan is no longer what would be done
├── CannotJoin            this machine cannot be part of the cluster as it is
├── CannotImport          a model of another program's store cannot be served as it lies there
├── UpstreamFailed        a server that was asked directly did not answer, or refused us
└── XinferenceError       a request to Xinference failed
    ├── Unreachable       nothing answers at the endpoint, or not in time
    ├── NotXinference     something answers, but it is no Xinference
    ├── NoExtension       Xinference answers, but has not loaded our extension
    ├── AuthFailed        401: no credentials, or wrong ones
    ├── Forbidden         403: the credentials may not do this
    ├── Banned            429 on everything: the address is locked out after too many failures
    ├── NotFound          404, or the 400 that Xinference sends for an unknown uid
    ├── AlreadyRunning    the uid is taken
    ├── NotReady          503 with Retry-After: the model is still loading
    ├── Rejected          any other 4xx
    └── ServerFailed      any other 5xx
"""

from __future__ import annotations


class BiaiXinfError(Exception):
    """An expected failure: a one-sentence message, indented details, and a hint for the next step."""

    def __init__(self, message: str, *, details: list[str] | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or []
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.message, *(f"  {detail}" for detail in self.details)]
        if self.hint:
            lines += ["", f"hint: {self.hint}"]
        return "\n".join(lines)


class MissingExtra(BiaiXinfError, ImportError):
    """A package is not installed; the hint names the extra that brings it."""


class BadFile(BiaiXinfError):
    """A file a person wrote is wrong; the message starts with `file:line:` where the line is known."""


class UnknownName(BiaiXinfError):
    """No model spec, recipe or database has that name; the hint offers names there are."""


class UidTaken(BiaiXinfError):
    """The uid runs something that is no recipe of the spec."""


class NothingFits(BiaiXinfError):
    """No recipe of a spec fits the cluster; the details name every recipe and its reason."""


class LaunchFailed(BiaiXinfError):
    """Xinference could not load the model; the message holds the engine's own reason where one was found."""


class Interrupted(BiaiXinfError):
    """A person stopped it; the message says what remains."""


class WrongAnswers(BiaiXinfError):
    """The model answers, but not what its probe expects."""


class OtherVectors(BiaiXinfError):
    """An embedder makes other vectors than those that are stored; the hint has the command that makes them anew."""


class QuestionFailed(BiaiXinfError):
    """A question could not be answered from the database."""


class QueryRejected(QuestionFailed):
    """The database takes the query for wrong: a name it does not know, a type that does not fit; another one may do.

    `reason` is what the database says.
    """

    def __init__(self, reason: str, sql: str) -> None:
        super().__init__(f"the query failed: {reason}", details=sql.splitlines())
        self.reason = reason


class LocalServiceFailed(BiaiXinfError):
    """The local Xinference did not start, or could not be stopped."""


class PlanMovedOn(BiaiXinfError):
    """A plan that was kept is no longer what would be done; nothing was changed."""


class CannotJoin(BiaiXinfError):
    """This machine cannot be part of the cluster as it is; nothing was started."""


class CannotImport(BiaiXinfError):
    """A model of another program's store cannot be served as it lies there; `code` is the reason for machines."""

    def __init__(self, code: str, message: str, *, details: list[str] | None = None, hint: str | None = None) -> None:
        super().__init__(message, details=details, hint=hint)
        self.code = code


class UpstreamFailed(BiaiXinfError):
    """A server that was asked directly did not answer, or refused us."""


class XinferenceError(BiaiXinfError):
    """A request to Xinference failed; `status` is the HTTP status, None where no answer came."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        details: list[str] | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, details=details, hint=hint)
        self.status = status


class Unreachable(XinferenceError):
    """Nothing answers at the endpoint, or not in time."""


class NotXinference(XinferenceError):
    """Something answers at the endpoint, but it is no Xinference."""


class NoExtension(XinferenceError):
    """Xinference answers, but has not loaded the extension that serves this."""


class AuthFailed(XinferenceError):
    """401: no credentials were sent, or wrong ones."""


class Forbidden(XinferenceError):
    """403: the credentials may not do this."""


class Banned(XinferenceError):
    """Xinference locks this address out after too many failed logins."""


class NotFound(XinferenceError):
    """Xinference knows no such model, registration or replica."""


class AlreadyRunning(XinferenceError):
    """The uid is taken by a running or launching model."""


class NotReady(XinferenceError):
    """The model is still loading."""


class Rejected(XinferenceError):
    """Xinference refused the request (4xx)."""


class ServerFailed(XinferenceError):
    """Xinference failed while serving the request (5xx)."""
