"""Text of others for a picture: one line that says nothing but what can be seen."""

import unicodedata

# Joiners belong to how some scripts and signs are written.
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"


def one_line(text: str) -> str:
    """Text without line breaks and control characters; what cannot be shown is `?`."""
    return "".join(one if _is_shown(one) else "?" for one in " ".join(text.split()))


def _is_shown(character: str) -> bool:
    # Cc, Cs, Cf: control, half of a pair, and format: shown as nothing, or turns what follows.
    kind, code = unicodedata.category(character), ord(character)
    return character in _JOINERS or (kind not in ("Cc", "Cs", "Cf") and code & 0xFFFE != 0xFFFE)


def xml(text: str) -> str:
    """One line for the text of an XML or HTML element."""
    line = one_line(text)
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
