"""Language by the chat completions protocol: xAI, OpenAI, Ollama, vLLM, by address.

A question costs cents, so one whose answer is lost is asked again. Whatever comes back is kept as it is, for
it was paid; whether it fits the schema is judged by who reads it (`genlock.providers.faces`).
"""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from genlock.errors import Unsupported
from genlock.money import Money
from genlock.paid import Made, Policy, Sending
from genlock.providers.adapter import VendorAdapter
from genlock.providers.asks import LanguageAsk
from genlock.providers.picture import ENDINGS
from genlock.providers.schema import strict
from genlock.store.artifact import Artifact

LARGEST = 20 << 20  # bytes of a picture
ALTOGETHER = 100 << 20  # bytes of all pictures of a question


class Chat(VendorAdapter[LanguageAsk]):
    """Answers questions, also about pictures, in JSON of a given schema if there is one."""

    asks = LanguageAsk
    policy = Policy.REPEATABLE

    @override
    def check(self, request: LanguageAsk) -> None:
        super().check(request)
        for picture in request.pictures:
            if picture.media_type not in ENDINGS or picture.size > LARGEST:
                raise Unsupported(
                    f"{self.vendor} looks at pictures as {', '.join(ENDINGS)} of at most {LARGEST} bytes"
                )
        if sum(picture.size for picture in request.pictures) > ALTOGETHER:
            raise Unsupported(
                f"{self.vendor} looks at {ALTOGETHER} bytes of pictures at once: make them smaller"
            )
        if request.answer is not None:
            strict(request.answer)

    @override
    async def submit(self, sending: Sending, request: LanguageAsk) -> Made:
        body = await self._body(request)
        reply = await self._door.submit("/v1/chat/completions", body, in_time=sending.in_time)
        answer = reply.object()
        choice = next(iter(answer.get("choices") or []), None)
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            raise reply.unclear(f"{self.vendor} answered {reply.status} without a choice")
        usage = answer.get("usage") if isinstance(answer.get("usage"), dict) else {}
        facts = {
            "text": _text(message.get("content")),
            "refusal": message.get("refusal"),
            "finish": choice.get("finish_reason") if isinstance(choice, dict) else None,
            "model": answer.get("model"),
            "usage": usage,
        }
        return Made((), {n: v for n, v in facts.items() if v is not None}, self._cost(usage or {}))

    @override
    async def probe(self) -> str:
        body = (await self._door.ask("/v1/models", "its models")).object()
        names = {m.get("id") for m in body.get("data") or [] if isinstance(m, dict)}
        there = "is there" if self.model.id in names else "is not in its list of models"
        return f"the server answers; {self.model.id} {there}"

    async def _body(self, request: LanguageAsk) -> dict[str, Any]:
        content: Any = request.prompt
        if request.pictures:
            content = [await self._picture(p) for p in request.pictures]
            content.append({"type": "text", "text": request.prompt})
        system = [{"role": "system", "content": request.system}] if request.system else []
        return {
            "model": self.model.id,
            "messages": [*system, {"role": "user", "content": content}],
            self.model.inputs.get("most", "max_tokens"): request.most,
            **({"temperature": request.temperature} if request.temperature is not None else {}),
            **({"response_format": _format(request)} if request.answer is not None else {}),
            **self.model.fixed,
        }

    async def _picture(self, picture: Artifact) -> dict[str, Any]:
        url = await self._pictures.inline(picture)
        return {"type": "image_url", "image_url": {"url": url, "detail": "high"}}

    def _cost(self, usage: dict[str, Any]) -> Money | None:
        """The vendor's count of tokens at our prices; None if it did not count."""
        read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if not isinstance(read, int) or not isinstance(written, int):
            return None
        total = usage.get("total_tokens")
        if isinstance(total, int):  # thinking is counted there alone by some
            written = max(written, total - read)
        units = {"call": 1, "million_input_tokens": read / 1e6, "million_output_tokens": written / 1e6}
        return self.model.cost(units, {})


def _format(request: LanguageAsk) -> dict[str, Any]:
    assert request.answer is not None
    schema = {"name": request.title, "schema": strict(request.answer), "strict": True}
    return {"type": "json_schema", "json_schema": schema}


def _text(content: Any) -> str:
    """The answer's text; some servers give it in parts."""
    if isinstance(content, list):
        return "".join(str(p.get("text") or "") for p in content if isinstance(p, dict))
    return content if isinstance(content, str) else ""
