"""The forms of one's own account: what each asks for, and the action that it is."""

from __future__ import annotations

from dataclasses import dataclass

SIGN_IN, SIGN_OUT, SECOND_STEP = "sign-in", "sign-out", "second-step"
INVITATION = "invitation"


@dataclass(frozen=True, slots=True)
class Field:
    """Something that is asked for; ``autocomplete`` says what (HTML, 4.10.18.7)."""

    name: str
    label: str
    autocomplete: str
    kind: str = "text"

    @property
    def is_secret(self) -> bool:
        """Whether it is never shown again."""
        return self.kind == "password" or self.autocomplete == "one-time-code"


@dataclass(frozen=True, slots=True)
class Form:
    """A form.

    Attributes:
        action: what it does; its input are the fields, and the token of the link that led here.
        done: what is said when it is done; empty where the browser goes on by itself.
    """

    name: str
    heading: str
    text: str
    action: str
    fields: tuple[Field, ...]
    button: str
    done: str = ""
    takes_token: bool = False


_EMAIL = Field("email", "Address", "username", "email")
_PASSWORD = Field("password", "Password", "current-password", "password")
_CODE = Field("code", "Code", "one-time-code")
_NEW = Field("password", "New password, of 12 characters or more", "new-password", "password")

FORMS = (
    Form(
        SIGN_IN,
        "Sign in",
        "",
        "sessions.create",
        (_EMAIL, _PASSWORD),
        "Sign in",
    ),
    Form(
        SECOND_STEP,
        "One more step",
        "Give the code that your app shows now, or one of your recovery codes.",
        "sessions.second_step",
        (_CODE,),
        "Go on",
    ),
    Form(
        "verify",
        "Confirm your address",
        "Give the password of your account, and its address is confirmed.",
        "accounts.verify",
        (_PASSWORD,),
        "Confirm",
        done="The address is confirmed. You can sign in now.",
        takes_token=True,
    ),
    Form(
        "forgotten",
        "Ask for a new password",
        "A link to set it with is sent to the address of your account.",
        "accounts.request_reset",
        (_EMAIL,),
        "Send the link",
        done="If there is an account with this address, a mail is on its way to it.",
    ),
    Form(
        "reset",
        "Set a new password",
        "You are signed out everywhere, and sign in with the new one.",
        "accounts.reset",
        (_NEW,),
        "Set it",
        done="The password is set. You can sign in with it now.",
        takes_token=True,
    ),
    Form(
        INVITATION,
        "You are invited",
        "Accept, and you belong to it.",
        "invitations.accept",
        (),
        "Accept",
        done="You belong to it now.",
        takes_token=True,
    ),
    Form(SIGN_OUT, "Sign out", "", "sessions.end", (), "Sign out"),
)
