"""What became of each file that lies with articles: the account of a JATS corpus."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from retrieval.corpora.jats.article_items import Piece
from retrieval.corpora.jats.elements import Element, attribute, dialect_in, name_of
from retrieval.corpora.jats.figures import hrefs_in
from retrieval.corpora.jats.image_files import is_article_image, stem_of
from retrieval.corpora.jats.packages import Package, PackageContents, is_archive
from retrieval.corpora.listing import Found, files_below
from retrieval.corpora.naming import is_hidden
from retrieval.types import Account, Skip

NO_ARTICLE = "XML of no article"
SUPPLEMENT = "supplement of an article"
SUPPLEMENTS = ("supplementary-material", "inline-supplementary-material", "media", "ext-link")
BESIDE = "archive beside an article: if it holds articles, give its own path"


class ArticleFiles:
    """The files of a corpus by their paths: what they were taken for, and why nothing was taken from others.

    Roles are article, image, record (PMC's JSON), thumbnail, article PDF, and table or formula image. Members of
    archives are counted as soon as their archive was read.
    """

    def __init__(self) -> None:
        self._used: dict[str, str] = {}
        self._why: dict[str, str] = {}
        self._members = 0
        self._roles: Counter[str] = Counter()
        self._strays: list[Skip] = []

    def take_article(self, package: Package, name: str, article: Element, pieces: Sequence[Piece]) -> None:
        """An article was read: its images are those of its pieces, its other files those that it names."""
        self.take_file(package, name, "article")
        stem = name.removesuffix(".gz").rpartition(".")[0]
        self.take_file(package, f"{stem}.json", "record")
        found = {piece.found for piece in pieces if piece.found}
        for image in found:
            self.take_file(package, image, "image")
        others = set(filter(None, map(package.images_of(name).find, hrefs_in(article)))) - found
        for image in others:
            self.take_file(package, image, "table or formula image")
        shown = {stem_of(image) for image in found | others}
        own, other = _named_in(article)
        for file in package.files:
            base = posixpath.basename(file).lower()
            if is_article_image(file) and stem_of(file) in shown:
                self.take_file(package, file, "thumbnail")
            elif base.endswith(".pdf") and (base in own or posixpath.splitext(file)[0] == stem):
                self.take_file(package, file, "article PDF")
            elif base in other:
                self._why[package.path_of(file)] = SUPPLEMENT

    def take_file(self, package: Package, name: str | None, role: str) -> None:
        """A file of a package has a role, unless it has one already. What is not there is passed over."""
        if name is not None and name in package.files:
            self._used.setdefault(package.path_of(name), role)

    def leave_xml(self, package: Package, name: str, data: bytes) -> None:
        """A file of XML is no article."""
        dialect = dialect_in(data)
        self._why[package.path_of(name)] = f"{dialect}, which is not JATS" if dialect else NO_ARTICLE

    def close_archive(self, place: str, contents: PackageContents) -> None:
        """An archive was read: its members are counted, and it is itself a file."""
        hidden = sum(map(is_hidden, contents.members))
        sizes = {f"{place}/{name}": size for name, size in contents.members.items() if not is_hidden(name)}
        reasons = {f"{place}/{name}": reason for name, reason in contents.strays}
        inside = Found(sizes | dict.fromkeys(reasons, 0), hidden, ()).account(self._used, self._why | reasons)
        self._members += inside.files
        self._roles.update(inside.read)
        self._strays += inside.unread
        self._used = {path: role for path, role in self._used.items() if path not in sizes}
        self._used[place] = "archive"

    def account(self, root: Path, paths: Sequence[Path], superseded: Mapping[str, bool]) -> Account:
        """The account of all files below `root`, or, where `paths` are files, of these and of what was taken beside
        them. Where `superseded` says so, a file, or the nearest folder around it, is of an older version or a copy."""
        used = {path: "superseded file" if _superseded(path, superseded) else role for path, role in self._used.items()}
        if len(paths) == 1 and paths[0].is_dir():
            found = files_below(root)
        else:
            named = (path.relative_to(root).as_posix() for path in paths if path.is_file())
            found = Found(dict.fromkeys([*named, *used], 0), 0, ())
        beside = {name: BESIDE for name in found.sizes if name not in used and is_archive(Path(name))}
        account = found.account(used, beside | self._why)
        inside = Account(self._members, dict(self._roles), tuple(self._strays)) if self._members else None
        return replace(account, inside=inside)


def _named_in(article: Element) -> tuple[set[str], set[str]]:
    """The names of the files that an article calls itself, and of those that it calls its supplements."""
    own: set[str] = set()
    other: set[str] = set()
    for element in article.iter(*(f"{{*}}{name}" for name in ("self-uri", *SUPPLEMENTS))):
        if href := attribute(element, "href"):
            (own if name_of(element) == "self-uri" else other).add(posixpath.basename(href).lower())
    return own, other


def _superseded(path: str, superseded: Mapping[str, bool]) -> bool:
    """Whether a file, or else the nearest folder or archive around it that is known, is superseded."""
    while path:
        if path in superseded:
            return superseded[path]
        path = posixpath.dirname(path)
    return False
