"""A run that was refused: what it tells, and that the same command takes up a source that was mended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

import retrieval
from retrieval.cli import main
from retrieval.errors import CorpusError, PlanMismatchError, ShardError, TooManySkipsError
from tests.doubles import ColourEncoder


def draw(folder: Path, names: str, captions: bool = True) -> Path:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", (20 + number, 20), "red").save(folder / f"{name}.png")
        if captions:
            (folder / f"{name}.txt").write_text(f"red {name}")
    return folder


def index(source: Path, out: Path, **options: object) -> retrieval.Index:
    return retrieval.index(source, out, encoder=ColourEncoder(), progress=False, **options)  # type: ignore[arg-type]


def files_of(folder: Path) -> dict[str, bytes]:
    kept = ("images.parquet", "texts.parquet", "skips.parquet", "plan.json", ".faiss", ".npy")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.name.endswith(kept)
    }


def test_a_refusal_names_the_first_files_and_the_list_has_all(tmp_path, capsys):
    source = draw(tmp_path / "figures", "abcdefgh")
    for name in "bdfh":
        (source / f"{name}.png").write_bytes(b"no picture")
    (source / "notes.docx").write_bytes(b"PK")
    with pytest.raises(
        TooManySkipsError, match=r"4 of 8 figures cannot be read .*: b.png \(.*\), d.png .* and 1 more; "
    ):
        index(source, tmp_path / "index")
    assert main(["info", str(tmp_path / "index"), "--skips"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("17 files: 8 images, 8 sidecars, 1 not read: notes.docx (document")
    assert [line.split("\t")[1] for line in told.splitlines()[1:]] == [
        "notes.docx",
        *(f"{name}.png (figure {name})" for name in "bdfh"),
    ]
    main(["info", str(tmp_path / "index"), "--skips", "--json"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["uri"] for row in rows] == ["notes.docx", "b.png", "d.png", "f.png", "h.png"]


def test_the_same_call_takes_up_a_source_that_was_mended(tmp_path):
    source = draw(tmp_path / "figures", "abcd")
    whole = (source / "b.png").read_bytes()
    (source / "b.png").write_bytes(b"no picture")
    with pytest.raises(TooManySkipsError):
        index(source, tmp_path / "index")
    (source / "b.png").write_bytes(whole)
    assert len(index(source, tmp_path / "index")) == 4
    index(source, tmp_path / "fresh")
    assert files_of(tmp_path / "index") == files_of(tmp_path / "fresh")


def test_a_figure_mended_without_a_change_of_the_listing_is_read_again(tmp_path):
    draw(tmp_path / "figures", "abcd", captions=False)
    table = tmp_path / "figures" / "captions.csv"
    table.write_text("image,caption\n" + "".join(f"{name}.png,red {name}\n" for name in "abcd"))
    hidden = (tmp_path / "figures" / "b.png").rename(tmp_path / "b.png")
    with pytest.raises(TooManySkipsError, match=r"b.png"):
        index(table, tmp_path / "index")
    hidden.rename(tmp_path / "figures" / "b.png")
    assert len(index(table, tmp_path / "index")) == 4


def test_a_larger_share_of_skips_keeps_what_was_encoded(tmp_path):
    source = draw(tmp_path / "figures", "abcdefgh")
    (source / "h.png").write_bytes(b"no picture")
    with pytest.raises(TooManySkipsError):
        index(source, tmp_path / "index", shard_size=2)
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "index" / "shards").glob("0000[012].images.parquet")}
    assert len(made) == 3
    assert len(index(source, tmp_path / "index", shard_size=2, max_skips=0.5)) == 7
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_shards_that_were_kept_on_purpose_are_not_begun_again_for_another_source(tmp_path):
    """Encoded with a larger share of skips and not built yet: without that share, another source takes nothing away."""
    source = draw(tmp_path / "figures", "abcd")
    (source / "b.png").write_bytes(b"no picture")
    retrieval.encode(source, tmp_path / "index", encoder=ColourEncoder(), max_skips=0.5, progress=False)
    before = files_of(tmp_path / "index")
    with pytest.raises(PlanMismatchError, match="--overwrite"):
        index(draw(tmp_path / "others", "xyz"), tmp_path / "index")
    with pytest.raises(TooManySkipsError):
        index(source, tmp_path / "index")
    assert files_of(tmp_path / "index") == before
    assert len(index(source, tmp_path / "index", max_skips=0.5)) == 3


def test_an_index_that_was_built_is_not_begun_again_by_itself(tmp_path):
    source = draw(tmp_path / "figures", "abcd")
    (source / "b.png").write_bytes(b"no picture")
    index(source, tmp_path / "index", max_skips=0.5).close()
    before = files_of(tmp_path / "index")
    with pytest.raises(TooManySkipsError):
        index(source, tmp_path / "index")
    draw(source, "ef")
    with pytest.raises(PlanMismatchError, match="--overwrite"):
        index(source, tmp_path / "index")
    assert files_of(tmp_path / "index") == before


def test_overwrite_begins_again_and_leaves_files_of_others(tmp_path):
    source = draw(tmp_path / "figures", "abcd")
    out = tmp_path / "index"
    index(source, out, shard_size=2).close()
    retrieval.open(out, encoder=ColourEncoder()).remove("a", progress=False)
    (out / "notes.txt").write_text("mine")
    (out / "shards" / "mine.parquet").write_text("mine")
    draw(source, "ef")
    assert len(index(source, out, overwrite=True)) == 6
    assert (out / "notes.txt").read_text() == (out / "shards" / "mine.parquet").read_text() == "mine"
    (out / "shards" / "mine.parquet").unlink()
    index(source, tmp_path / "fresh")
    assert files_of(out) == files_of(tmp_path / "fresh")
    retrieval.open(out, encoder=ColourEncoder()).verify()


@pytest.mark.parametrize("at", range(5))
def test_overwrite_that_was_killed_goes_on_with_the_same_call(tmp_path, monkeypatch, at):
    """Killed at its n-th removal or while it encodes, and called again as it was."""
    source = draw(tmp_path / "figures", "abcd")
    out = tmp_path / "index"
    index(source, out, shard_size=2).close()
    draw(source, "ef")
    real, calls = Path.unlink, []

    def unlink(path: Path, **options: bool) -> None:
        if "tmp" not in path.name:
            calls.append(path)
            if len(calls) == 2 * at + 1:
                raise KeyboardInterrupt
        real(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        with pytest.raises(KeyboardInterrupt):
            index(source, out, shard_size=3, overwrite=True)
    assert len(index(source, out, shard_size=3, overwrite=True)) == 6
    index(source, tmp_path / "fresh", shard_size=3)
    assert files_of(out) == files_of(tmp_path / "fresh")


def test_a_refused_source_leaves_its_account(tmp_path, capsys):
    source = draw(tmp_path / "figures", "ab", captions=False)
    (source / "legends.xlsx").write_bytes(b"PK")
    with pytest.raises(CorpusError, match=r"legends.xlsx"):
        index(source, tmp_path / "index")
    assert main(["info", str(tmp_path / "index"), "--skips"]) == 0
    assert "legends.xlsx\ttable cannot be read" in capsys.readouterr().out
    assert len(index(source, tmp_path / "index", images_only=True)) == 2


def test_a_build_of_nothing_is_refused(tmp_path):
    source = draw(tmp_path / "figures", "ab")
    for name in "ab":
        (source / f"{name}.png").write_bytes(b"no picture")
    retrieval.encode(source, tmp_path / "index", encoder=ColourEncoder(), max_skips=1, progress=False)
    with pytest.raises(ShardError, match=r"nothing to build.*info .* --skips"):
        retrieval.build(tmp_path / "index", progress=False)


def test_skips_of_a_folder_without_a_run_are_refused(tmp_path, capsys):
    assert main(["info", str(tmp_path), "--skips"]) == 2
    assert "no run was begun there" in capsys.readouterr().err


def test_what_was_added_has_its_account_too(tmp_path):
    made = index(draw(tmp_path / "figures", "abcd"), tmp_path / "index")
    more = draw(tmp_path / "more", "ef")
    (more / "notes.docx").write_bytes(b"PK")
    added = made.add(more, progress=False)
    assert (
        str(added.account)
        == "5 files: 2 images, 2 sidecars, 1 not read: notes.docx (document: captions are not taken out of it)"
    )
    assert [item["uri"] for item in made.skips()] == ["notes.docx"]
