"""Every error that MOSAIC raises on purpose.

Each class has a stable ``code`` (for programs), an HTTP ``status`` (for faces) and a message that
names the thing; ``hint`` says what to do next.

::

    MosaicError
    ├── ConfigurationError            mosaic.toml or the environment is wrong
    ├── PluginError                   a plugin cannot be used
    │   ├── PluginNotFound            selected but not installed
    │   ├── PluginImportFailed        installed but does not import
    │   ├── PluginIncompatible        written for another hook API
    │   ├── PluginInvalid             a hook that matches no spec, or a wrong return value
    │   └── PluginConflict            two providers of one name
    ├── RequestError                  what was asked for cannot be answered
    │   ├── InvalidHost               the Host header is not a host
    │   ├── UnknownHost               no tenant has this host
    │   ├── InvalidInput              the input does not fit, with every problem
    │   ├── NotFound                  no such thing in this tenant
    │   ├── Conflict                  the thing exists already, or has changed meanwhile
    │   │   ├── LeaseTaken            somebody moves, migrates, imports or deletes the tenant
    │   │   ├── LeaseLost             somebody else may work at the tenant meanwhile
    │   │   └── RolloutPaused         the migration of all tenants waits for somebody to look
    │   ├── Stale                     it is not any more what the caller has seen of it
    │   ├── PreconditionRequired      a save does not say what it is based on
    │   ├── Unauthenticated           nobody knows who asks, or what they show is not valid
    │   ├── Denied                    the actor may not do this
    │   ├── UsageExceeded             what the tier includes in a month is used up
    │   ├── TooManyRequests           too much at once; it says when to try again
    │   └── TookTooLong               it took longer than it may, and was stopped
    ├── TenantError                   the tenant does not take this now
    │   ├── TenantClosed              suspended: nobody reads it
    │   ├── TenantReadOnly            visitors read it, nobody writes
    │   ├── TenantFenced              it is being moved; writes wait
    │   └── TenantMoved               it lives elsewhere now
    ├── DatabaseError                 a database does not do what it should
    │   ├── DatabaseMissing           the tenant's database is not where it should be
    │   ├── DatabaseBusy              locked or deadlocked; worth another try
    │   ├── DatabaseReadOnly          the directory or file cannot be written
    │   ├── DatabaseDamaged           the file is corrupt
    │   ├── DatabaseNewer             made by a newer MOSAIC
    │   ├── DatabaseBehind            needs `mosaic migrate`
    │   ├── DiskFull                  the disk has no room
    │   ├── QuotaExceeded             the tier's limit is reached
    │   ├── WriteTimeout              the write took longer than it may
    │   ├── UnloggedWrite             a statement that the change log would not see
    │   └── ChainBroken               the change log was tampered with or damaged
    ├── StorageError                  files
    │   ├── FileMissing               no such key
    │   ├── InvalidKey                the key leaves the tenant's prefix, or is no key
    │   ├── FileMismatch              size or digest is not what was announced
    │   ├── StorageForbidden          the store does not let this deployment do it
    │   ├── StorageBusy               the store asks to slow down, and went on asking
    │   └── StorageUnreachable        the store does not answer
    ├── CacheUnavailable              the cache that instances share does not answer
    ├── BundleError                   a bundle cannot be written or read
    │   ├── BundleDamaged             a part of it is not what was written, or is missing
    │   ├── BundleNewer               made by a newer MOSAIC
    │   └── BundleLocked              it is encrypted, and the key for it is not given
    ├── MailError                     a mail was not sent
    │   ├── InvalidMail               it has an address or a text that no mail can have
    │   ├── MailRefused               it is not taken, however often it is sent
    │   ├── MailDeferred              this one is not taken now; others may be
    │   └── MailUnavailable           no mail can be sent now
    └── IdentityError                 nobody else vouches for who somebody is
        ├── IdentityUnavailable       the issuer cannot be reached, or not in time
        ├── IdentityMisconfigured     the issuer, or what it is known by here, cannot be used
        ├── IdentityRefused           the issuer does not say who it is
        └── IdentityTampered          what came back is not what it has to be
"""

from __future__ import annotations

from typing import ClassVar


class MosaicError(Exception):
    """The root. ``message`` names the thing that is wrong; ``hint`` says what to do."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    #: Whether the same write may be tried again at once.
    transient: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class ConfigurationError(MosaicError):
    code = "configuration"


class PluginError(MosaicError):
    code = "plugin"


class PluginNotFound(PluginError):
    code = "plugin-not-found"


class PluginImportFailed(PluginError):
    code = "plugin-import-failed"


class PluginIncompatible(PluginError):
    code = "plugin-incompatible"


class PluginInvalid(PluginError):
    code = "plugin-invalid"


class PluginConflict(PluginError):
    code = "plugin-conflict"


class RequestError(MosaicError):
    code = "bad-request"
    status = 400


class InvalidHost(RequestError):
    code = "invalid-host"


class UnknownHost(RequestError):
    code = "unknown-host"
    status = 404


class InvalidInput(RequestError):
    """``problems`` are (where, what) pairs, all of them."""

    code = "invalid-input"
    status = 422

    def __init__(
        self, message: str, *, hint: str = "", problems: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class NotFound(RequestError):
    code = "not-found"
    status = 404


class Conflict(RequestError):
    code = "conflict"
    status = 409


class LeaseTaken(Conflict):
    code = "lease-taken"


class LeaseLost(Conflict):
    code = "lease-lost"


class RolloutPaused(Conflict):
    code = "rollout-paused"


class Stale(RequestError):
    code = "stale"
    status = 412


class PreconditionRequired(RequestError):
    """``revision`` is that of what is there, for whoever has seen it (RFC 6585, 3)."""

    code = "precondition-required"
    status = 428

    def __init__(self, what: str, revision: int | str) -> None:
        super().__init__(
            f"A change of {what} says which revision it is based on, and this one does not.",
            hint=f"Nothing was saved. It is at revision {revision} now: if that is what you "
            f"changed, give it as based_on (--based-on on the command line), or its ETag in "
            f"If-Match; else look first.",
        )
        self.revision = revision


class Unauthenticated(RequestError):
    code = "unauthenticated"
    status = 401


class Denied(RequestError):
    code = "denied"
    status = 403


class UsageExceeded(RequestError):
    code = "usage-exceeded"
    status = 402


class TooManyRequests(RequestError):
    """``retry_after`` are the seconds after which it is worth another try."""

    code = "too-many-requests"
    status = 429

    def __init__(self, message: str, *, hint: str = "", retry_after: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class TookTooLong(RequestError):
    code = "took-too-long"
    status = 503


class TenantError(MosaicError):
    code = "tenant"
    status = 503


class TenantClosed(TenantError):
    code = "tenant-closed"


class TenantReadOnly(TenantError):
    code = "tenant-read-only"
    status = 403


class TenantFenced(TenantError):
    code = "tenant-fenced"


class TenantMoved(TenantError):
    code = "tenant-moved"


class DatabaseError(MosaicError):
    code = "database"
    status = 503


class DatabaseMissing(DatabaseError):
    code = "database-missing"


class DatabaseBusy(DatabaseError):
    code = "database-busy"
    transient = True


class DatabaseReadOnly(DatabaseError):
    code = "database-read-only"


class DatabaseDamaged(DatabaseError):
    code = "database-damaged"


class DatabaseNewer(DatabaseError):
    code = "database-newer"


class DatabaseBehind(DatabaseError):
    code = "database-behind"


class DiskFull(DatabaseError):
    code = "disk-full"
    status = 507


class QuotaExceeded(DatabaseError):
    code = "quota-exceeded"
    status = 402


class WriteTimeout(DatabaseError):
    code = "write-timeout"


class UnloggedWrite(DatabaseError):
    code = "unlogged-write"
    status = 500


class ChainBroken(DatabaseError):
    code = "chain-broken"
    status = 500


class StorageError(MosaicError):
    code = "storage"
    status = 503


class FileMissing(StorageError):
    code = "file-missing"
    status = 404


class InvalidKey(StorageError):
    code = "invalid-key"
    status = 400


class FileMismatch(StorageError):
    code = "file-mismatch"
    status = 422


class StorageForbidden(StorageError):
    code = "storage-forbidden"
    status = 502


class StorageBusy(StorageError):
    code = "storage-busy"


class StorageUnreachable(StorageError):
    code = "storage-unreachable"


class CacheUnavailable(MosaicError):
    code = "cache-unavailable"
    status = 503


class BundleError(MosaicError):
    code = "bundle"
    status = 422


class BundleDamaged(BundleError):
    code = "bundle-damaged"


class BundleNewer(BundleError):
    code = "bundle-newer"


class BundleLocked(BundleError):
    code = "bundle-locked"


class MailError(MosaicError):
    code = "mail"
    status = 503


class InvalidMail(MailError):
    code = "invalid-mail"
    status = 422


class MailRefused(MailError):
    code = "mail-refused"
    status = 502


class MailDeferred(MailError):
    code = "mail-deferred"


class MailUnavailable(MailError):
    code = "mail-unavailable"


class IdentityError(MosaicError):
    code = "identity"
    status = 503


class IdentityUnavailable(IdentityError):
    code = "identity-unavailable"


class IdentityMisconfigured(IdentityError):
    code = "identity-misconfigured"


class IdentityRefused(IdentityError):
    code = "identity-refused"
    status = 403


class IdentityTampered(IdentityError):
    code = "identity-tampered"
    status = 400
