import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from weightspace import provenance

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow/scripts"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A copy of the package and the scripts that tests may edit."""
    shutil.copytree(ROOT / "src/weightspace", tmp_path / "weightspace")
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "weightspace")
    return tmp_path


def digests(tree):
    return {p.stem: provenance.code_fingerprint(p) for p in sorted((tree / "scripts").glob("*.py"))}


def changed(tree, file, edit):
    before = digests(tree)
    path = tree / file
    path.write_text(edit(path.read_text()))
    after = digests(tree)
    return {name for name in before if before[name] != after[name]}


def with_code(text):
    return text + "\nADDED = 1\n"


def with_comment(text):
    return text.replace('"""', '"""Reworded. ', 1) + "\n\n# a comment\n"


def test_comments_docstrings_and_formatting_change_nothing(tree):
    for path in sorted((tree / "weightspace").rglob("*.py")):
        assert changed(tree, path.relative_to(tree), with_comment) == set(), path


@pytest.mark.parametrize("file", ["weightspace/models/dws.py", "weightspace/augment/mixup.py"])
def test_a_model_or_an_augmentation_concerns_training_and_no_fit(tree, file):
    found = changed(tree, file, with_code)
    assert {"train_cell", "contrastive_cell"} <= found
    # The measure of matchings draws random permutations, so knows the augmentations.
    assert found <= {"train_cell", "contrastive_cell", "matching_quality", "alignment"}


def test_the_fitting_concerns_the_fits(tree):
    # What comes after follows from the files, which change.
    assert changed(tree, "weightspace/fit/fitting.py", with_code) == {"fit_shard"}


def test_a_download_concerns_no_pictures_that_are_there(tree):
    assert changed(tree, "weightspace/data/web.py", with_code) == {"download"}


@pytest.mark.parametrize("name", provenance.NEUTRAL)
def test_the_frame_of_a_job_concerns_nothing(tree, name):
    assert changed(tree, f"weightspace/{name}", with_code) == set()


def test_a_figure_concerns_its_own_rule(tree):
    assert changed(tree, "weightspace/report/figures/views.py", with_code) == {"views"}


def test_the_core_type_concerns_every_stage_that_uses_it(tree):
    found = changed(tree, "weightspace/weights.py", with_code)
    assert {"fit_shard", "assemble", "train_cell", "gallery_figure"} <= found
    assert "config_record" not in found


def test_an_import_inside_a_function_counts(tmp_path, monkeypatch):
    package = tmp_path / "weightspace"
    package.mkdir()
    (package / "__init__.py").write_text('"""A package."""\n')
    (package / "a.py").write_text("def f():\n    from weightspace.b import g\n    return g()\n")
    (package / "b.py").write_text("def g():\n    return 1\n")
    script = tmp_path / "script.py"
    script.write_text("import weightspace.a\n")
    monkeypatch.setattr(provenance, "PACKAGE", package)
    found = [p.name for p in provenance.dependencies(script)]
    assert sorted(found) == ["__init__.py", "a.py", "b.py"]


def test_nothing_that_python_loads_of_ours_is_missed():
    # The static walk over imports against what an interpreter really loads.
    script = SCRIPTS / "train_cell.py"
    code = (
        "import sys; sys.argv = ['x']\n"
        f"source = open({str(script)!r}).read().split('cell = snakemake')[0]\n"
        "exec(source)\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'weightspace'))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {Path(p).resolve() for p in run.stdout.split()}
    assert len(loaded) > 10
    assert loaded <= {p.resolve() for p in provenance.dependencies(script)}


def test_versions_name_what_results_depend_on():
    found = provenance.versions()
    assert found["torch"].startswith("2.")
    assert set(found) == {"python", *provenance.PACKAGES}


def test_a_commit_is_dirty_by_its_source_and_not_by_published_results(tmp_path, monkeypatch):
    for name in ("src/weightspace/siren.py", "results/reference/schemes.md"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("as committed\n")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "src/weightspace")
    assert provenance.commit() == "unknown"
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    for step in (["init"], ["add", "."], [*identity, "commit", "--message", "first"]):
        subprocess.run(["git", *step], cwd=tmp_path, check=True, capture_output=True)
    clean = provenance.commit()
    assert len(clean) == 12
    (tmp_path / "results/reference/schemes.md").write_text("published anew\n")
    assert provenance.commit() == clean
    (tmp_path / "src/weightspace/siren.py").write_text("edited\n")
    assert provenance.commit() == f"{clean}-dirty"
