"""A real name server on the loopback that knows a few texts, in a thread of its own."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class NameServer:
    """It answers with ``texts``, by name; other names do not exist. ``asked`` has every question.

    Attributes:
        broken: it fails at every question; silent: it answers none.
    """

    texts: dict[str, list[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    broken: bool = False
    silent: bool = False

    def __enter__(self) -> Self:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())  # wakes it
        self._thread.join(10)
        self._socket.close()

    @property
    def address(self) -> str:
        """As in ``[platform] nameservers``."""
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    def proves(self, record: object) -> None:
        """Sets the record of a domain, beside those that are there."""
        name, value = str(getattr(record, "name")), str(getattr(record, "value"))  # noqa: B009
        self.texts.setdefault(name, []).append(value)

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4_096)
            if not data:
                return
            question = dns.message.from_wire(data)
            name = question.question[0].name.to_text(omit_final_dot=True)
            self.asked.append(name)
            if self.silent:
                continue
            answer = dns.message.make_response(question)
            answer.flags |= dns.flags.RA
            if self.broken:
                answer.set_rcode(dns.rcode.SERVFAIL)
            elif name not in self.texts:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif question.question[0].rdtype == dns.rdatatype.TXT and self.texts[name]:
                texts = [f'"{text}"' for text in self.texts[name]]
                answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "TXT", *texts))
            self._socket.sendto(answer.to_wire(), peer)
