"""Articles that tests write themselves."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

from retrieval.corpora import open_corpus
from retrieval.types import Figure
from tests.corpora.conftest import picture
from tests.corpora.reading import figures

SPACES = 'xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:mml="http://www.w3.org/1998/Math/MathML"'
DOCTYPE = '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) v1.1//EN" "JATS-archivearticle1.dtd">'


def jats(body: str, meta: str = '<article-id pub-id-type="pmc">1</article-id>', **attributes: str) -> str:
    """A whole article with this body and this article-meta; `article_type="retraction"` and the like."""
    said = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return (
        f'<?xml version="1.0"?>{DOCTYPE}<article {SPACES} {said}>'
        f"<front><article-meta>{meta}</article-meta></front><body>{body}</body></article>"
    )


def fig(name: str | None, caption: str | None = "A caption.", href: str | None = None, inside: str = "") -> str:
    own_id = "" if name is None else f' id="{name}"'
    own_caption = "" if caption is None else f"<caption><p>{caption}</p></caption>"
    graphic = "" if href is None else f'<graphic xlink:href="{href}"/>'
    return f"<fig{own_id}>{own_caption}{inside}{graphic}</fig>"


def put(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def packed(files: dict[str, str | bytes], kind: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=kind) as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zipped(files: dict[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def shown(folder: Path, body: str, images: tuple[str, ...] = ("a.jpg",), **options: bool) -> dict[str, Figure]:
    """The figures by id of the package PMC1 with this body and these images; each image's bytes tell its name."""
    put(folder / "PMC1", {"a.nxml": jats(body)} | {name: picture() + name.encode() for name in images})
    return figures(open_corpus(folder, **options))
