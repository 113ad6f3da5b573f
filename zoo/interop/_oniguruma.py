r"""Which expressions mean the same to Oniguruma, in Ruby's syntax (`tokenizers`), and to the `regex` package (here).

Known constructs are let through, all else is refused: both engines have many of their own, and a file that cuts
otherwise gives other ids without a word. What is let through has been compared over every code point. Of characters
that newer versions of Unicode added, the two may think otherwise.
"""

from __future__ import annotations

import re
from typing import NoReturn

_CATEGORIES = "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp C Cc Cf Co Cn"
_SCRIPTS = "Han Latin Greek Cyrillic Hiragana Katakana Hangul Thai Arabic Hebrew Devanagari"
_PROPERTIES = {*_CATEGORIES.split(), *_SCRIPTS.split()}
_QUANTIFIER = re.compile(r"([*+?]|\{(\d*)(,?)(\d*)\})([?+]?)", re.ASCII)
_CONSUMING = ("(?:", "(?>")
_LOOK = ("(?=", "(?!", "(?<=", "(?<!")
_SET_OPERATIONS = ("&&", "--", "||", "~~")
_FOLDED_PAIRS = ("ss", "ff", "fi", "fl", "st")  # to Oniguruma, without case, also one character: ß, ﬀ, ﬁ, ...
_CASELESS = {"N", "P", "S", "Z"}  # hold both cases of what they hold; L does, but not U+0345, which folds to a letter
_MAX_REPEATS = 100_000  # Oniguruma opens no more
_HINTS = {
    "^": r"matches at every line in Ruby's syntax: expected \A",
    "$": r"matches at every line in Ruby's syntax: expected (?=\n?\z)",
    r"\w": r"holds other characters there: expected [\p{L}\p{M}\p{N}_] or the like",
    r"\W": r"holds other characters there: expected [^\p{L}\p{M}\p{N}_] or the like",
    r"\b": r"knows other words there: expected (?<![\p{L}\p{N}]) or the like",
    r"\B": r"knows other words there: expected (?<=[\p{L}\p{N}]) or the like",
    r"\h": r"is a hexadecimal digit there: expected [ \t] or the like",
    r"\H": r"is no hexadecimal digit there: expected [^ \t] or the like",
    r"\Z": r"also matches before a last line end there: expected \z",
}


def same_in_oniguruma(expression: str) -> str:
    """The expression.

    Raises:
        ValueError: the two engines may read it differently, or Oniguruma not at all; says at which part.
    """
    _Parser(expression).whole()
    return expression


class _Parser:
    """Walks through an expression that the `regex` package compiles. Methods return how many characters a part takes
    at least."""

    def __init__(self, expression: str):
        self.text = expression
        self.at = 0
        self.folds = False  # case does not count
        self.last = ""  # the letter before, in (?i)
        self.is_in_class = False
        self.has_folds_within = False
        self.leaves_out_letters = ""  # a class that does

    def whole(self) -> None:
        if self.text.startswith("(?i)"):
            self.at, self.folds = 4, True
        width = self.branches(looks_behind=False)
        if self.at < len(self.text):
            self.refuse(")", "closes nothing")
        if self.has_folds_within and self.leaves_out_letters:  # the `regex` package then leaves out others, too
            self.refuse(
                self.leaves_out_letters, "is not read alike beside (?i:...): expected [sS] and the like for that"
            )
        if not width:
            self.refuse(self.text, "can match nothing at all, where the engines cut otherwise: expected a character")

    def branches(self, *, looks_behind: bool) -> int:
        widths = [self.sequence(looks_behind)]
        while self.text.startswith("|", self.at):
            self.at += 1
            self.last = ""
            widths.append(self.sequence(looks_behind))
        return min(widths)

    def sequence(self, looks_behind: bool) -> int:
        width = 0
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            start = self.at
            if looks_behind and self.text[start] == "(":
                self.refuse(self.text[start:], "is a group in a look-behind: expected characters and '|' alone")
            own, repeats = self.atom()
            if looks_behind and not own:
                self.refuse(self.text[start : self.at], "stands in a look-behind: expected characters and '|' alone")
            quantifier = _QUANTIFIER.match(self.text, self.at)
            if quantifier:
                if looks_behind:
                    self.refuse(quantifier.group(), "repeats in a look-behind: expected characters and '|' alone")
                if not repeats:
                    self.refuse(
                        self.text[start : quantifier.end()], "repeats what can take no text: expected a character in it"
                    )
                own *= self.quantified(quantifier)
            width += own
        return width

    def quantified(self, quantifier: re.Match[str]) -> int:
        """How often the part before comes at least."""
        whole, kind, least, comma, most, suffix = quantifier.group(0, 1, 2, 3, 4, 5)
        self.at = quantifier.end()
        if kind in "*+?":
            return int(kind == "+")
        if not least and not most:
            self.refuse(whole, r"repeats nothing said: expected {n}, {n,}, {n,m} or {,m}; or \{ for the character")
        if suffix == "+":
            self.refuse(whole, "repeats in Oniguruma and is possessive elsewhere: expected it written otherwise")
        if suffix == "?" and not comma:
            self.refuse(whole, "is optional in Oniguruma and not elsewhere: expected it written otherwise")
        if max(int(least or 0), int(most or 0)) > _MAX_REPEATS:
            self.refuse(whole, f"repeats more often than Oniguruma can: expected {_MAX_REPEATS} at most")
        return int(least or 0)

    def atom(self) -> tuple[int, bool]:
        """Its width, and whether it may repeat."""
        character = self.text[self.at]
        if character == "(":
            return self.group()
        if character == "[":
            self.character_class()
            return 1, True
        if character == "\\":
            escape = self.escape()
            takes = escape not in (r"\A", r"\z")
            return int(takes), takes
        if character in "^$":
            self.refuse(character)
        if character in "*+?{":
            self.refuse(self.text[self.at :], rf"repeats nothing: expected \{character} for the character")
        self.at += 1
        if character == ".":
            self.last = ""
        else:
            self.literal(character)
        return 1, True

    def group(self) -> tuple[int, bool]:
        start, folds = self.at, self.folds
        if self.text.startswith("(?i:", start):
            opening, self.folds, self.has_folds_within = "(?i:", True, True
            self.last = self.last if folds else ""
        elif self.text.startswith("(?", start):
            opening = next((each for each in (*_CONSUMING, *_LOOK) if self.text.startswith(each, start)), "")
            if not opening:
                sign = re.match(r"\(\?[\w^#<>!&-]*[:)]?", self.text[start:])
                self.refuse(
                    sign.group() if sign else "(?", "is not known to be read alike: expected (?:, (?i: or the like"
                )
        else:
            opening = "("
        if opening in _LOOK:
            self.last = ""
        looks_behind = opening in ("(?<=", "(?<!")
        if looks_behind and self.folds:
            self.refuse(opening, "looks behind within (?i: expected it outside")
        self.at += len(opening)
        width = self.branches(looks_behind=looks_behind)
        if not self.text.startswith(")", self.at):
            self.refuse(self.text[start:], "is not closed")
        self.at += 1
        self.folds = folds
        return (0, False) if opening in _LOOK else (width, width > 0)

    def escape(self) -> str:
        """Walks over it; returns it."""
        sign = self.text[self.at : self.at + 2]
        self.last = ""
        if sign in (r"\p", r"\P"):
            found = re.compile(r"\\[pP]\{\^?(\w+)\}").match(self.text, self.at)
            if not found or found.group(1) not in _PROPERTIES:
                shown = re.compile(r"\\[pP](\{[^}]*\}?|.?)", re.DOTALL).match(self.text, self.at)
                self.refuse(
                    shown.group() if shown else sign,
                    r"is not known to be read alike: expected a general category, as \p{Lu}, or a script, as \p{Han}",
                )
            self.folded_class(found.group(), found.group(1))
            self.at = found.end()
            return found.group()
        if code := re.compile(r"\\(?:x[0-7][0-9A-Fa-f]|u(?![dD][89A-Fa-f])[0-9A-Fa-f]{4})").match(self.text, self.at):
            self.at = code.end()
            self.literal(chr(int(code.group()[2:], 16)))
            return code.group()
        if len(sign) < 2 or (sign[1].isascii() and sign[1].isalnum() and sign[1] not in "nrtfvaAzsSdD"):
            self.refuse(sign)
        self.at += 2
        if not (sign[1].isascii() and sign[1].isalnum()):
            self.literal(sign[1])
        return sign

    def character_class(self) -> None:
        start, end = self.at, self.at + 1
        negated = self.text.startswith("^", end)
        self.at = end + negated
        self.is_in_class = True
        members = ""  # single characters
        is_first = True
        while not self.text.startswith("]", self.at) or is_first:
            if self.at >= len(self.text) or self.text[self.at] in "[]":
                self.refuse(
                    self.text[start : self.at + 1], r"holds a bracket, which Ruby's syntax nests: expected \[ or \]"
                )
            self.check_no_operation()
            member = self.member(start)
            members += member
            is_first = False
            self.check_no_operation()
            at_range = self.text.startswith("-", self.at) and not self.text.startswith("-]", self.at)
            if at_range:
                self.folded_class(self.text[start : self.at + 1])
                self.at += 1
                last = self.member(start)
                members += last
                if not member or not last:
                    self.refuse(self.text[start : self.at], "has a range of classes: expected \\- for the character")
                if self.text.startswith("-", self.at) and not self.text.startswith("-]", self.at):
                    self.refuse(
                        self.text[start : self.at + 1], "has a range of a range: expected \\- for the character"
                    )
        if negated:
            self.check_complements(self.text[start : self.at + 1])
            if any(member.lower() != member.upper() for member in members):
                self.leaves_out_letters = self.text[start : self.at + 1]
                self.folded_class(self.leaves_out_letters)
        self.at += 1
        self.last, self.is_in_class = "", False
        if len(members) == 1:
            self.literal(members)
        else:
            for member in members:
                self.literal(member)
                self.last = ""

    def check_no_operation(self) -> None:
        sign = self.text[self.at : self.at + 2]
        if sign in _SET_OPERATIONS:
            self.refuse(sign, "in a class is an operation on sets to one of the two: expected it escaped")

    def check_complements(self, shown: str) -> None:
        """A class that leaves out a class and all others holds nothing; the `regex` package finds something in it."""
        held: dict[str, bool] = {}
        for sign in re.findall(r"\\(?:[pP]\{\^?\w+\}|.)", shown, re.DOTALL):
            name = sign[1:].lower().replace("^", "")
            negated = (sign[1] in "PSD") != ("^" in sign)
            if sign[1] in "pPsSdD" and held.setdefault(name, negated) != negated:
                self.refuse(shown, "leaves out a class and its complement: expected one of them")

    def member(self, start: int) -> str:
        """The character of a class, a line end for any that a letter names, "" where it is a class itself."""
        character = self.text[self.at : self.at + 1]
        if character != "\\":
            if character == "" or character in "[]":
                self.refuse(self.text[start : self.at + 1], r"holds a bracket: expected \[ or \]")
            self.at += 1
            return character
        held, self.last = self.last, ""
        escape = self.escape()
        self.last = held
        if escape in (r"\A", r"\z"):
            self.refuse(escape, "stands in a class")
        if escape[1] in "pPsSdD":
            return ""
        code = int(escape[2:], 16) if len(escape) > 2 else None
        return chr(code) if code is not None else escape[1] if not escape[1].isalnum() else "\n"

    def literal(self, character: str) -> None:
        if not self.folds:
            return
        if not character.isascii():
            self.refuse(character, "stands within (?i, where the engines fold it otherwise: expected ASCII")
        character = character.lower()
        if character == "i":
            self.refuse(character, "within (?i is also U+0130 to one of the two: expected it outside, as [iI]")
        if self.last + character in _FOLDED_PAIRS:
            self.refuse(
                self.last + character,
                "within (?i is also one character to Oniguruma: expected both cases written out, as [sS]",
            )
        self.last = character

    def folded_class(self, shown: str, name: str = "") -> None:
        if self.folds and name not in (_CASELESS if self.is_in_class else {*_CASELESS, "L"}):
            self.refuse(shown, "is a class within (?i, where the engines fold it otherwise: expected it outside")

    def refuse(self, part: str, why: str | None = None) -> NoReturn:
        why = why or _HINTS.get(part) or "is not known to be read alike: expected it written otherwise"
        part = part if len(part) <= 40 else part[:40] + "..."
        raise ValueError(f"the pattern {self.text!r} holds {part!r}, which {why}")
