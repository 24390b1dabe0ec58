"""Writes text with a GGUF model through llama.cpp, one answer at a time. Knows nothing of what it is asked.

The only importer of llama_cpp; ctypes stays here. What is common to many prompts stays in the context's memory: a
prompt is read only from where it differs from the one before. A batched scheduler (engine.py: many sequences in one
batch, priorities, prefixes shared by copy) would stand between this module and the thread, behind the same Protocol.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import ctypes
import functools
import logging
import os
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from models import ChatTurn, ModelBusy, ModelDamaged, ModelError, ModelMissing, ModelTimeout
from models.checksums import Checksums
from models.engine_thread import QUESTION, EngineThread, on_the_phone

log = logging.getLogger(__name__)

BATCH_TOKENS = 512
CHARACTERS_A_TOKEN = 16
"""No tokenizer packs more into a token on average; longer prompts are refused before native code sees them."""
CANARY = (ChatTurn(role="user", text="What is the capital of France?"),)
CANARY_ANSWER = "paris"
CANARY_TOKENS = 24
ABORTED = 2
"""What llama_decode returns after its abort callback said so."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What the last answer cost."""

    prompt_tokens: int
    reused_tokens: int
    """Of the prompt, those that were still in memory from the prompt before."""
    answer_tokens: int
    first_token_s: float
    """From the moment the engine took it up; waiting in line is not in it."""
    tokens_per_s: float
    """After the first."""


class LlamaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much of the machine the model gets."""

    threads: int = 1
    """Two threads on a busy machine spin for each other: answers fell to a third. More contexts give more answers."""
    context_tokens: int = 4096
    """Prompt and answer together."""
    queue: int = 8
    """Answers under way or waiting; the next one is told that the model is busy."""


class LlamaChat:
    """The ChatModel. Loads in its own thread with the first answer."""

    def __init__(
        self,
        name: str,
        path: Path,
        sha256: str,
        *,
        settings: LlamaSettings | None = None,
        checksums: Checksums | None = None,
    ) -> None:
        self.name = name
        self.sha256 = sha256
        self.figures: Figures | None = None
        self.tokens_written = 0
        """Since the start, of all answers."""
        self._path = path
        self._settings = settings or LlamaSettings()
        self._checksums = checksums or Checksums()
        self._thread = EngineThread(name)
        self._context: _Context | None = None
        self._open: set[_Stop] = set()
        self._answer_s = 1.0

    async def load(self) -> None:
        await self._thread.run(self._loaded, rank=QUESTION)

    async def write(
        self, turns: Sequence[ChatTurn], *, max_tokens: int = 160, deadline_s: float = 30.0
    ) -> AsyncGenerator[str, None]:
        deadline = time.monotonic() + deadline_s
        self._admit(deadline_s)
        stop = _Stop()
        self._open.add(stop)
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        work = functools.partial(self._answer, tuple(turns), max_tokens, stop, _teller(pieces))
        answer = asyncio.ensure_future(self._thread.run(work, rank=QUESTION))
        answer.add_done_callback(lambda _: pieces.put_nowait(None))
        try:
            while (piece := await _before(deadline, pieces.get())) is not None:
                yield piece
            await answer
            if stop:
                raise ModelError(f"{self.name} was closed before the answer was complete")
        finally:
            stop.now()
            answer.cancel()
            self._open.discard(stop)

    async def close(self) -> None:
        for stop in self._open:
            stop.now()
        if self._context is not None:
            await self._thread.run(self._unload, rank=QUESTION)
        await self._thread.close()

    def _admit(self, deadline_s: float) -> None:
        """Better told at once than after half a minute in line."""
        before = min(len(self._open), 1) if on_the_phone.get() else len(self._open)  # a caller passes those that wait
        wait = before * self._answer_s
        if before >= self._settings.queue or wait > deadline_s:
            raise ModelBusy(
                f"{self.name} has {len(self._open)} answers to write; try again", retry_after=max(1.0, wait)
            )
        if deadline_s <= 0:
            raise ModelTimeout(f"{self.name} was asked with no time left")

    # ---- in the engine's thread ----------------------------------------------------------------------------------

    def _answer(self, turns: tuple[ChatTurn, ...], max_tokens: int, stop: _Stop, tell: Callable[[str], None]) -> None:
        context = self._loaded()
        began = time.monotonic()
        tokens = context.prompt(turns)
        _check_length(len(tokens), max_tokens, self._settings.context_tokens)
        reused = context.reusable(tokens)
        times = [began]
        text = codecs.getincrementaldecoder("utf-8")("replace")  # a character may span tokens
        for piece in context.pieces(tokens, max_tokens, stop):
            times.append(time.monotonic())
            self.tokens_written += 1
            if said := text.decode(piece):
                tell(said)
        if rest := text.decode(b"", final=True):
            tell(rest)
        self.figures = _figures(len(tokens), reused, times)
        self._answer_s += 0.3 * (time.monotonic() - began - self._answer_s)

    def _loaded(self) -> _Context:
        if self._context is None:
            self._checksums.verify(self._path, self.sha256)
            began = time.monotonic()
            context = _Context(self._path, self._settings)
            try:
                _check_canary(context, self._path)
            except ModelDamaged:
                context.free()
                raise
            self._context = context
            log.info(
                "loaded model=%s seconds=%.2f threads=%d", self.name, time.monotonic() - began, self._settings.threads
            )
        return self._context

    def _unload(self) -> None:
        if self._context is not None:
            self._context.free()
            self._context = None


def requantise(source: Path, target: Path, ftype: str) -> None:
    """Write the model of ``source`` to ``target`` in another number format: the same bytes each time. Blocks."""
    lib = _library()
    params = lib.llama_model_quantize_default_params()
    params.ftype = getattr(lib, f"LLAMA_FTYPE_MOSTLY_{ftype}")
    params.allow_requantize = True
    params.nthread = 1
    failed = lib.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(params))
    if failed:
        target.unlink(missing_ok=True)
        raise ModelError(f"{source.name} could not be turned into {ftype} at {target}; is the disk full?")


def _check_canary(context: _Context, path: Path) -> None:
    """Damaged tensors load without a word and then write nothing or nonsense."""
    said = b"".join(context.pieces(context.prompt(CANARY), CANARY_TOKENS, _Stop())).decode("utf-8", "replace")
    if CANARY_ANSWER not in said.lower():
        raise ModelDamaged(f"{path} loads but does not know the capital of France: it is damaged. Install it again.")


def _check_length(prompt: int, answer: int, context_tokens: int) -> None:
    """Too many tokens would end the process: GGML_ASSERT calls abort()."""
    if prompt + answer > context_tokens:
        raise ModelError(
            f"The prompt has {prompt} tokens; with {answer} for the answer it does not fit into models.context_tokens "
            f"= {context_tokens}. Give it fewer passages or raise the setting."
        )


def _figures(prompt: int, reused: int, times: list[float]) -> Figures:
    answer = len(times) - 1
    spent = times[-1] - times[1] if answer > 1 else 0.0
    return Figures(
        prompt_tokens=prompt,
        reused_tokens=reused,
        answer_tokens=answer,
        first_token_s=times[1] - times[0] if answer else 0.0,
        tokens_per_s=(answer - 1) / spent if spent else 0.0,
    )


def _teller(pieces: asyncio.Queue[str | None]) -> Callable[[str], None]:
    loop = asyncio.get_running_loop()

    def tell(piece: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody listens
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

    return tell


async def _before(deadline: float, piece: Any) -> str | None:
    try:
        said: str | None = await asyncio.wait_for(piece, max(0.0, deadline - time.monotonic()))
    except TimeoutError as wrong:
        raise ModelTimeout("The model did not finish in time (models.deadline_s)") from wrong
    return said


# ---- llama.cpp -------------------------------------------------------------------------------------------------------


class _Stop:
    """A byte that llama.cpp looks at between operations, so that even a long prompt is dropped in milliseconds."""

    def __init__(self) -> None:
        self.flag = ctypes.create_string_buffer(2)

    def __bool__(self) -> bool:
        return self.flag.raw[0] != 0

    def now(self) -> None:
        self.flag[0] = b"\1"


class _Context:
    """A loaded model with one sequence in memory. Used by one thread only."""

    def __init__(self, path: Path, settings: LlamaSettings) -> None:
        self._lib = lib = _library()
        params = lib.llama_model_default_params()
        params.n_gpu_layers = 0
        self._model = lib.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            raise ModelDamaged(f"{path} is not a GGUF model that this llama.cpp can load. Install it again.")
        self._vocab = lib.llama_model_get_vocab(self._model)
        self._n_vocab: int = lib.llama_vocab_n_tokens(self._vocab)
        self._room = settings.context_tokens
        self._context = lib.llama_init_from_model(self._model, self._params(settings))
        if not self._context:
            lib.llama_model_free(self._model)
            raise ModelError(
                f"No memory for {settings.context_tokens} tokens of {path.name}; lower models.context_tokens"
            )
        self._memory = lib.llama_get_memory(self._context)
        self._kept: list[int] = []
        # strlen as the abort callback: it is "true" as soon as the flag byte is not zero, and being C it needs no GIL.
        # A Python callback would be called some 600 times a token and wait up to 5 ms for the GIL each time.
        self._strlen = lib.ggml_abort_callback(ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p).value)

    def prompt(self, turns: Sequence[ChatTurn]) -> list[int]:
        """The turns in the model's own chat template, as tokens. What people say is never read as control tokens."""
        if sum(len(turn.text) for turn in turns) > self._room * CHARACTERS_A_TOKEN:
            raise ModelError("The prompt is much longer than models.context_tokens allows. Give it fewer passages.")
        markup = re.split("\ue000([0-9]+)\ue000", self._template([turn.role for turn in turns]))
        tokens: list[int] = []
        for place, text in enumerate(markup):
            if place % 2:
                tokens += self._tokens(turns[int(text)].text.strip(), special=False)
            elif text:
                tokens += self._tokens(text, special=True, first=not tokens)
        return tokens

    def reusable(self, tokens: list[int]) -> int:
        """How many leading tokens are in memory already; at least the last one has to be computed anew."""
        limit = min(len(self._kept), len(tokens) - 1)
        return next((i for i in range(limit) if self._kept[i] != tokens[i]), limit)

    def pieces(self, tokens: list[int], max_tokens: int, stop: _Stop) -> Iterator[bytes]:
        """The likeliest answer, token by token; ends early when told to stop."""
        self._lib.llama_set_abort_callback(self._context, self._strlen, ctypes.cast(stop.flag, ctypes.c_void_p))
        self._forget_from(self.reusable(tokens))
        if not self._read(tokens[len(self._kept) :], stop):
            return
        for _ in range(max_tokens):
            token = self._likeliest()
            if stop or self._lib.llama_vocab_is_eog(self._vocab, token):
                return
            yield self._piece(token)
            if not self._read([token], stop):
                return

    def free(self) -> None:
        self._lib.llama_free(self._context)
        self._lib.llama_model_free(self._model)

    def _params(self, settings: LlamaSettings) -> Any:
        params = self._lib.llama_context_default_params()
        params.n_ctx = settings.context_tokens
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.n_seq_max = 1
        params.n_threads = params.n_threads_batch = settings.threads
        params.no_perf = True
        return params

    def _template(self, roles: Sequence[str]) -> str:
        """The model's markup with a numbered placeholder for each turn's text."""
        template = self._lib.llama_model_chat_template(self._model, None)
        if template is None:
            raise ModelError("The model has no chat template: it is a base model. Choose an instruct model.")
        chat = (self._lib.llama_chat_message * len(roles))()
        for place, role in enumerate(roles):
            chat[place].role, chat[place].content = role.encode(), f"\ue000{place}\ue000".encode()
        room = 512 + 128 * len(roles)
        buffer = ctypes.create_string_buffer(room)
        size = self._lib.llama_chat_apply_template(template, chat, len(roles), True, buffer, room)
        if not 0 <= size <= room:
            raise ModelError("llama.cpp does not know the model's chat template. Choose another model.")
        return buffer.raw[:size].decode()

    def _tokens(self, text: str, *, special: bool, first: bool = False) -> list[int]:
        data = text.encode("utf-8", "replace")  # invalid UTF-8 would throw through C and end the process
        room = len(data) + 8
        buffer = (ctypes.c_int32 * room)()
        count = self._lib.llama_tokenize(self._vocab, data, len(data), buffer, room, first, special)
        if count < 0:
            raise ModelError("The prompt could not be cut into tokens")
        return list(buffer[:count])

    def _forget_from(self, place: int) -> None:
        """Models with sliding-window attention cannot forget a part: they forget all."""
        if not self._lib.llama_memory_seq_rm(self._memory, 0, place, -1):
            self._lib.llama_memory_clear(self._memory, True)
            place = 0
        del self._kept[place:]

    def _read(self, tokens: list[int], stop: _Stop) -> bool:
        """Compute tokens into memory; False when told to stop."""
        for start in range(0, len(tokens), BATCH_TOKENS):
            part = tokens[start : start + BATCH_TOKENS]
            array = (ctypes.c_int32 * len(part))(*part)
            failed = self._lib.llama_decode(self._context, self._lib.llama_batch_get_one(array, len(part)))
            if failed:
                self._forget_from(len(self._kept))
                if failed == ABORTED and stop:
                    return False
                self._forget_from(0)
                raise ModelError(f"llama_decode failed with {failed} at token {len(self._kept) + len(part)}")
            self._kept += part
        return True

    def _likeliest(self) -> int:
        logits = self._lib.llama_get_logits_ith(self._context, -1)
        return int(np.ctypeslib.as_array(logits, (self._n_vocab,)).argmax())

    def _piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        size = self._lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        return buffer.raw[: max(0, size)]


@functools.cache
def _library() -> Any:
    try:
        import llama_cpp
    except ImportError as wrong:
        raise ModelMissing("llama-cpp-python is not installed. Run: pip install 'medinovai[starter]'") from wrong
    # Without it llama.cpp writes hundreds of lines to stderr. The cache keeps the callback alive.
    llama_cpp.llama_log_set(_silence(llama_cpp), ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return llama_cpp


@functools.cache
def _silence(lib: Any) -> Any:
    return lib.llama_log_callback(lambda _level, _text, _data: None)
