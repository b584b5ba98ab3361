"""Starting the encoders, to see that they do; in rendering children only."""

from __future__ import annotations

import io

import av
import numpy as np

from genlock.errors import RenderRefused
from genlock.media.check.trial import Encoded, TryEncoder
from genlock.media.operation import Progress, operation

FRAMES, SIZE, RATE = 2, 64, 48_000


@operation("try_encoder")
def try_encoder(_request: TryEncoder, _progress: Progress) -> Encoded:
    """A tiny film with sound, made and thrown away."""
    film = io.BytesIO()
    try:
        with av.open(film, "w", format="mp4") as container:
            video = container.add_stream("libx264", rate=30)
            video.width, video.height, video.pix_fmt = SIZE, SIZE, "yuv420p"
            audio = container.add_stream("aac", rate=RATE)
            for number in range(FRAMES):
                frame = av.VideoFrame.from_ndarray(np.zeros((SIZE, SIZE, 3), np.uint8), format="rgb24")
                frame.pts = number
                container.mux(video.encode(frame))
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            sound.sample_rate = RATE
            container.mux(audio.encode(sound))
            container.mux(video.encode(None))
            container.mux(audio.encode(None))
    except (av.FFmpegError, ValueError) as error:
        raise RenderRefused(f"the encoders do not start: {error}") from error
    return Encoded(frames=FRAMES, size=film.tell())
