"""docs/accuracy.md shows what the classifier does today, and says what each of its figures is."""

import re

from bench.evaluate import BLOCK, PAGE, judge, report
from drinkstream.classify import Classifier
from drinkstream.taxonomy import load
from tests.lib.labelled import labelled

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_figures_are_those_of_a_fresh_run():
    written = BLOCK.search(TEXT)
    assert written
    assert written.group() == report(judge(Classifier(load()), labelled())), "make evaluate ARGS=--write"


def test_the_number_of_posts_is_said_as_it_is():
    assert f"{len(labelled()):,} posts" in TEXT


def test_every_figure_of_the_first_table_is_defined():
    figures = re.findall(r"^\| ([a-zF][^|]+?) \|", report(([], [])).split("\n\n")[0], re.M)
    groups = {"posts", "posts that name a drink"}
    said = TEXT.split("## What each figure is")[1].split("## The figures")[0].lower()
    words = {word for figure in figures if figure not in groups for word in re.findall(r"\w+", figure.lower())}
    assert {word for word in words if word not in said} == set()


def test_every_kind_of_trap_has_a_row():
    traps = {post.trap for post in labelled()} - {""}
    assert {trap for trap in traps if f"\n| {trap} | " not in TEXT} == set()
