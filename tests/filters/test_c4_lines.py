"""C4Lines: the pages of the paper's rules, one by one."""

from __future__ import annotations

import inspect
import re

import pytest
from filter_doubles import texts
from hypothesis import given, settings

from zoo.data.filters import C4Lines, Changed, Dropped

GOOD = ["The first sentence has five words.", "Is this one a question too?", 'They said "we are done here"']
PAGE = "\n".join(GOOD)


def test_the_numbers_are_those_of_the_code_that_made_c4() -> None:
    defaults = {name: p.default for name, p in inspect.signature(C4Lines).parameters.items()}
    assert defaults == {"min_words": 5, "min_sentences": 3, "bad_words": ()}


def test_a_page_of_sentences_stays() -> None:
    assert C4Lines().apply(PAGE) == PAGE


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("no end mark", "A heading without an end mark"),
        ("no end mark", "This line breaks off in the..."),
        ("no end mark", "This line breaks off in the…"),
        ("no end mark", "It is followed by: one, two;"),
        ("no end mark", "   "),
        ("no end mark", ""),
        ("words of a line", "Only four words here."),
        ("javascript", "Please enable JavaScript to see this page."),
        ("policy notice", "By going on you accept our Terms of Use."),
        ("policy notice", "Read our privacy policy before you go on."),
        ("policy notice", "Read our cookie policy before you go on."),
        ("policy notice", "This web site of ours uses cookies."),
        ("policy notice", "You agree to the use of cookies."),
        ("policy notice", "We and our partners use cookies."),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_line_goes_by_its_rule(rule: str, line: str, place: int) -> None:
    lines = [f"{good}\n" for good in GOOD]
    page = "".join([*lines[:place], f"{line}\n", *lines[place:]])
    assert C4Lines().apply(page) == Changed("".join(lines), {rule: [f"{line}\n"]})


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("lorem ipsum", "Lorem Ipsum dolor sit amet"),
        ("curly bracket", "if (x) {"),
        ("curly bracket", "}"),
        ("bad word", "a Darn bad one"),
        ("bad word", "what the, DARN!"),
    ],
)
def test_a_page_goes_by_its_rule_wherever_it_stands(rule: str, line: str) -> None:
    assert C4Lines(bad_words=["darn", "a+b"]).apply(f"{PAGE}\n{line}") == Dropped(rule)


def test_bad_words_are_whole_words() -> None:
    page = f"{PAGE}\nNobody darned the socks of old."
    assert C4Lines(bad_words=["darn"]).apply(page) == page
    assert C4Lines(bad_words=["darn", "socks of"]).apply(page) == Dropped("bad word")


def test_citation_marks_are_cut_out() -> None:
    marked = PAGE.replace("words.", "words[12][citation needed].").replace("too?", "too?[edit] []")
    expected = PAGE.replace("too?", "too? ")
    assert C4Lines().apply(marked) == Changed(
        expected, {"citation mark": ["[12]", "[citation needed]", "[edit]", "[]"]}
    )
    assert (
        C4Lines().apply(f"{PAGE}\nThe list [1, 2] stays where it is.") == f"{PAGE}\nThe list [1, 2] stays where it is."
    )


def test_a_mark_alone_on_its_line_goes_with_the_line() -> None:
    assert C4Lines().apply(f"{PAGE}\n[edit]\n") == Changed(PAGE + "\n", {"no end mark": ["[edit]\n"]})


@pytest.mark.parametrize(
    ("page", "stays"),
    [
        ("One two three four five. And six! Seven?", True),  # three sentences on one line
        ("One two three four five. And six!", False),
        ("One two three four v1.5 six. And six!", False),  # a point within a word ends nothing
        ('He said "one two three." She said "four!" They said "five"', False),  # two ends and a quotation mark
        ('He said "one two three." She said "four!" They said "five."', True),
        ("\n".join(3 * ['one two three four "five"']), True),  # at least one a line
        ("A heading\nAnother", False),
    ],
)
def test_a_page_has_three_sentences(page: str, stays: bool) -> None:
    assert C4Lines().apply(page) == (page if stays else Dropped("number of sentences"))


@settings(deadline=None)
@given(texts)
def test_what_stays_are_lines_of_the_page_that_pass_every_rule(text: str) -> None:
    verdict = C4Lines(min_words=2, min_sentences=1).apply(text)
    if isinstance(verdict, Dropped):
        return
    left = verdict.text if isinstance(verdict, Changed) else verdict
    marks = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
    rest = iter([marks.sub("", line) for line in text.splitlines(keepends=True)])
    for line in left.splitlines(keepends=True):
        assert line in rest, "the lines that stay are a subsequence of the page's"
        assert line.strip()[-1] in '.!?"”' and not line.strip().endswith("...")
        assert len(line.split()) >= 2 and "javascript" not in line.lower() and "cookies" not in line.lower()
    assert "{" not in left and "lorem ipsum" not in left.lower()


@pytest.mark.parametrize("words", ["darn", ["darn", " "]])
def test_bad_words_that_are_refused(words: str | list[str]) -> None:
    with pytest.raises(ValueError, match=rf"^bad_words={re.escape(repr(words))}: expected a list of words$"):
        C4Lines(bad_words=words)
