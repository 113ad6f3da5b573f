"""Who may import whom: read from the files, so that a new variant cannot lean on its siblings unseen."""

from __future__ import annotations

import ast
import functools
import json
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo.families import FAMILIES

ZOO = Path(zoo.__file__).parent
ROOT = ZOO.parent
STANDARD = set(sys.stdlib_module_names) | {"__future__"}
ONE_FILE_EACH = [family for family in FAMILIES if family != "data"]  # a corpus is several files
MODEL_FAMILIES = [family for family in ONE_FILE_EACH if family != "filters"]
NO_VARIANTS = {"__init__.py", "base.py"}
ABOUT_FILTERS = {"filtered.py", "report.py"}  # what uses filters, beside them


def folder_of(family: str) -> Path:
    return ROOT.joinpath(*FAMILIES[family].package.split("."))


FAMILY_OF = {folder_of(family): family for family in FAMILIES}
VARIANT_FILES = [
    path
    for family in ONE_FILE_EACH
    for path in sorted(folder_of(family).glob("*.py"))
    if path.name not in NO_VARIANTS | (ABOUT_FILTERS if family == "filters" else set())
]
BASE_FILES = [folder_of(family) / "base.py" for family in ONE_FILE_EACH]
TOP_LEVEL = {
    *("zoo", "recipes", "tests", "benchmarks", "setup.cfg", "pyproject.toml", "README.md", "Makefile"),
    *("constraints.txt", "LICENSE", "CONTRIBUTING.md", ".ci", ".gitignore"),
}


def imports_of(path: Path) -> set[str]:
    """Every module a file imports, wherever the import stands, but for type checking alone."""
    found: set[str] = set()
    skipped: set[ast.AST] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped.update(ast.walk(node))
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found.add(node.module or "")
    return found


def name(path: Path) -> str:
    return str(path.relative_to(ZOO))


def is_base(module: str) -> bool:
    return module in {family.base_module for family in FAMILIES.values()}


@pytest.mark.parametrize("path", VARIANT_FILES, ids=name)
def test_variant_imports_no_variant(path: Path) -> None:
    family = FAMILY_OF[path.parent]
    allowed = STANDARD | {"torch", "einops"}
    if family == "filters":
        allowed = STANDARD | {"numpy", "numba", "regex"}
    if family == "tokenizers":
        allowed |= {"numpy", "numba", "llvmlite", "regex"}
    if family == "precision":
        allowed |= {"lightning"}  # lazily: tested in the family
    for module in imports_of(path):
        own_helper = module.startswith(f"{FAMILIES[family].package}._")
        of_zoo = module in ("zoo.component", "zoo.ops", "zoo.wording") or is_base(module) or own_helper
        assert module.split(".")[0] in allowed or of_zoo, f"{name(path)} imports {module}"


@pytest.mark.parametrize("path", BASE_FILES, ids=name)
def test_base_imports_no_variant(path: Path) -> None:
    libraries = {"numpy"} if path.parent.name == "tokenizers" else {"torch", "einops"}
    for module in imports_of(path):
        allowed = module.split(".")[0] in STANDARD | libraries
        own_helper = module.startswith(f"{FAMILIES[FAMILY_OF[path.parent]].package}._")
        of_zoo = module in ("zoo.component", "zoo.wording", "zoo.files") or is_base(module) or own_helper
        assert allowed or of_zoo, f"{name(path)} imports {module}"


def test_decoder_module_and_data_import_no_variant() -> None:
    files = [ZOO / "decoder.py", ZOO / "module.py", *(ZOO / "data").rglob("*.py")]
    for path in files:
        for module in imports_of(path):
            parts = module.split(".")
            in_family = parts[0] == "zoo" and len(parts) > 1 and parts[1] in MODEL_FAMILIES
            in_family |= module.startswith("zoo.data.filters.") and path.parent != folder_of("filters")
            assert not in_family or is_base(module), f"{name(path)} imports {module}"


def test_accounting_knows_no_family_and_no_lightning() -> None:
    for path in (ZOO / "accounting").glob("*.py"):
        for module in imports_of(path):
            top = module.split(".")[0]
            ours = module in ("zoo.component", "zoo.home", "zoo.files") or module.startswith("zoo.accounting")
            assert top in STANDARD | {"torch", "filelock"} or ours, f"{name(path)} imports {module}"


def test_every_variant_file_has_its_four_files() -> None:
    for path in VARIANT_FILES:
        if path.name.startswith("_"):
            continue
        family, variant = FAMILY_OF[path.parent], path.stem
        assert (ROOT / "recipes" / family / f"{variant}.yaml").is_file(), f"{name(path)} has no recipe"
        assert (ROOT / "tests" / family / f"test_{variant}.py").is_file(), f"{name(path)} has no test"
        assert variant in (path.parent / "__init__.py").read_text(), f"{name(path)} is not in __init__.py"


def test_variants_extend_a_base_never_a_sibling() -> None:
    from zoo.families import base_class, variants

    for family in FAMILIES:
        members = set(variants(family).values())
        assert members, f"{family} is empty"
        for cls in members:
            assert issubclass(cls, base_class(family))
            siblings = (set(cls.__mro__[1:]) & members) or None
            assert siblings is None, f"{cls.__name__} extends {siblings}"


def test_top_level_holds_nothing_else() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    assert {line.split("/")[0] for line in tracked.stdout.splitlines()} <= TOP_LEVEL


def test_import_zoo_is_light() -> None:
    heavy = ("lightning", "datasets", "torch", "matplotlib")
    code = f"import sys, zoo, zoo.cli; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@functools.cache
def loaded_after(code: str) -> set[str]:
    """The modules of a fresh interpreter that has run some code."""
    code = f"{code}; import json, sys; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", ["zoo.prepare", "zoo.ablation", "zoo.commands.fit", "zoo.commands.ablate"])
@pytest.mark.parametrize("heavy", ["lightning", "numba", "datasets"])
def test_planner_imports_nothing_that_costs_seconds(module: str, heavy: str) -> None:
    assert heavy not in loaded_after(f"import {module}, zoo.recipe.schema as s; s.section_keys()")


@pytest.mark.parametrize("heavy", ["lightning", "numba", "datasets", "torch._dynamo", "triton", "scipy", "matplotlib"])
def test_trying_a_recipe_imports_nothing_that_costs_seconds(heavy: str) -> None:
    """Also not what jsonargparse finds in the files of its classes, or torch behind its wrappers."""
    recipe = ROOT / "recipes" / "tokenizers" / "bpe.yaml"
    code = f"import zoo.prepare; from zoo.recipe import load_recipe; load_recipe({str(recipe)!r}).try_on_meta()"
    assert heavy not in loaded_after(code)
