"""Text of others, made harmless to those who look at it."""

import unicodedata

_STEERING = ("Cc", "Cf", "Cs")


def inert(text: str) -> str:
    """Text in which characters that steer a terminal, or turn the reading direction, are spelt out."""
    return "".join(
        letter
        if letter == "\n" or unicodedata.category(letter) not in _STEERING
        else letter.encode("unicode_escape").decode()
        for letter in text
    )
