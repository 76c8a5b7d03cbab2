"""The words of letters, by primary language; others read English."""

from __future__ import annotations

from collections.abc import Mapping

_ENGLISH = {
    "visitor": "A visitor",
    "about": "{who} filled in the form “{form}” on the page “{page}” of {site}.",
    "reply": "An answer to this mail goes to {who}.",
    "why": "You get this mail because the form names {to} as the address to be told.",
    "cut": "(shortened here; all of it is kept)",
}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": _ENGLISH,
    "tr": {
        "visitor": "Bir ziyaretçi",
        "about": "{who}, {site} sitesinin “{page}” sayfasındaki “{form}” formunu doldurdu.",
        "reply": "Bu iletiye verilen yanıt {who} adresine gider.",
        "why": "Bu iletiyi, formda bildirim adresi olarak {to} yazdığı için alıyorsunuz.",
        "cut": "(burada kısaltıldı; tamamı saklanıyor)",
    },
    "de": {
        "visitor": "Jemand",
        "about": "{who} hat das Formular „{form}“ auf der Seite „{page}“ von {site} ausgefüllt.",
        "reply": "Eine Antwort auf diese Mail geht an {who}.",
        "why": "Sie erhalten diese Mail, weil im Formular {to} als Adresse dafür steht.",
        "cut": "(hier gekürzt; aufbewahrt ist alles)",
    },
    "fr": {
        "visitor": "Quelqu’un",
        "about": "{who} a rempli le formulaire « {form} » sur la page « {page} » de {site}.",
        "reply": "Une réponse à ce message ira à {who}.",
        "why": "Vous recevez ce message car le formulaire indique {to} comme adresse à prévenir.",
        "cut": "(abrégé ici ; tout est conservé)",
    },
    "es": {
        "visitor": "Alguien",
        "about": "{who} rellenó el formulario «{form}» en la página «{page}» de {site}.",
        "reply": "La respuesta a este mensaje llegará a {who}.",
        "why": "Recibe este mensaje porque el formulario indica {to} como dirección de aviso.",
        "cut": "(abreviado aquí; se conserva todo)",
    },
    "ar": {
        "visitor": "أحد الزوار",
        "about": "قام {who} بتعبئة النموذج «{form}» في الصفحة «{page}» من {site}.",
        "reply": "الرد على هذه الرسالة يصل إلى {who}.",
        "why": "تصلك هذه الرسالة لأن النموذج يذكر {to} عنوانًا للإشعار.",
        "cut": "(مختصر هنا؛ النص كله محفوظ)",
    },
}


def words(language: str) -> Mapping[str, str]:
    """Those of a BCP 47 tag, with places for what a letter is about."""
    return _WORDS.get(language.partition("-")[0].lower(), _ENGLISH)
