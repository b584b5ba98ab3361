"""Checking a film and taking its stills in one go: its key frames are decoded once for both."""

from __future__ import annotations

from genlock.media.check.film import check
from genlock.media.check.report import Review, ReviewFilm
from genlock.media.film.sheet import Gallery
from genlock.media.operation import Progress, operation
from genlock.media.request import MakeContactSheet, MakePoster


@operation("review_film")
def review(request: ReviewFilm, progress: Progress) -> Review:
    """What `check_film` reports, and the stills; `RenderRefused` for what is no film of ours at all."""
    film = request.check.path
    gallery = Gallery(MakePoster(film=film, to=request.poster), MakeContactSheet(film=film, to=request.sheet))
    report = check(request.check, progress, gallery.see)
    return Review(report=report, poster=gallery.poster(progress), sheet=gallery.sheet(progress))
