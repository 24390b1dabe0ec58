"""Calls over SIP: lines registered at the clinic's PBX, calls in and out. The only module that knows the library, baresip.

Its threads do the signalling and send a packet every 20 ms from a buffer of its own; Python fills and empties that buffer.
One runtime a process: when its thread dies there is no other, so ``on_dead`` must end the process.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from voice.audio import Resampler
from voice.gate import addresses, close_to_others
from voice.line import Call, HungUp, LineStatus, NotAnswered, Pcm, Stats, TransferFailed

if TYPE_CHECKING:
    import baresip

log = logging.getLogger(__name__)

FRAME_S: Final = 0.02
LONGEST_WAIT: Final = 100
"""Frames of a caller that nobody has read; older ones are dropped."""
QUIET_TICKS: Final = 10
"""So long nothing may come before silence is read: a PBX that suppresses silence sends no packets for it."""
MOST_KEYS: Final = 64
FLUSHED_S: Final = 0.1
"""The library throws away what was not sent at its next packet; with a stall in between it may be later."""
ANSWER_S: Final = 5.0
LEAVE_S: Final = 2.0
CODECS: Final = ("g722/16000/1", "pcmu", "pcma")
"""In our order: G.722 carries 16 kHz, which is what ears want."""
HEADERS: Final = ("To", "P-Asserted-Identity", "Diversion", "History-Info", "Referred-By", "User-Agent")
AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"

_NUMBER = re.compile(r"[0-9A-Za-z+*#._-]{1,64}")
_USER = re.compile(r"(?:sips?|tel):([^@;>?]*)")
_PRIVATE = re.compile(r"(?<=[:\s\"<])[^@\s\"<>:]{1,64}(?=@)|\+?\d{5,}")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An extension of the PBX that we are."""

    name: str
    user: str
    password: str
    auth_user: str = ""
    """Where the PBX knows another name for signing in, as 3CX does."""

    def __repr__(self) -> str:
        return f"Line({self.name!r})"


class PhoneSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the PBX is, which lines are ours, how calls are carried."""

    pbx: str
    """Host, or host:port."""
    lines: tuple[Line, ...]
    domain: str = ""
    """Of addresses, where that is not the PBX's host."""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    encrypted_audio: bool = False
    """SRTP or no call."""
    certificate: str = ""
    """File of who signed the PBX's certificate; empty: the system's authorities."""
    listen: str = ""
    """Our address, or address:port. Empty: the one from which the PBX is reached, port 5070 (5071 for TLS)."""
    most_calls: int = 4
    """From outside at once; the next gets 486. As many again may be ours: consultations and transfers."""
    instance: Path | None = None
    """File in which who we are is kept, so that after a restart the PBX replaces the old binding."""
    allowed: tuple[str, ...] = ()
    """IPv4 addresses that may reach us besides the PBX's."""
    codecs: tuple[str, ...] = CODECS
    renew_s: int = 60
    """How often a line registers."""
    dead_air_s: int = 20
    """Without a packet for so long, a call is over (the peer has crashed)."""
    rtp_ports: tuple[int, int] = (30000, 30999)


class SipCall:
    """A `voice.line.Call` of the library's."""

    def __init__(self, telephone: Telephone, line: Line, native: baresip.Call, *, inbound: bool) -> None:
        self.id = uuid.uuid4().hex
        self.line = line.name
        self.inbound = inbound
        self.headers: Mapping[str, str] = {**native.headers, "Call-ID": native.call_id or ""}
        self.caller = _number(native.headers.get("P-Asserted-Identity") or native.peer or "") if inbound else line.user
        self.called = _number(native.headers.get("To", "")) if inbound else _number(native.peer or "")
        self.rate = 8000
        self.digits: asyncio.Queue[str] = asyncio.Queue(MOST_KEYS)
        self.ended = asyncio.Event()
        self.reason = ""
        self.native = native
        self._telephone = telephone
        self._line = line
        self._heard: deque[Pcm] = deque(maxlen=LONGEST_WAIT)
        self._more = asyncio.Event()
        self._rest: Pcm = np.zeros(0, np.int16)
        self._quiet = self._dropped = 0
        self._up: Resampler | None = None
        self._down: Resampler | None = None
        self._stream: tuple[int, int] | None = None
        self._later: list[Pcm] = []
        self._flushing: tuple[int, float] | None = None
        self._answered = False
        self._report: baresip.CallStats | None = None
        native.on(self._happened)
        native.on_rtcp(self._reported)

    def __repr__(self) -> str:
        return f"SipCall({self.id!r}, line={self.line!r})"

    # ---- beginning and end -------------------------------------------------------------------------------------------

    async def answer(self) -> None:
        async with self._alive():
            await self.native.answer()
        await self.sounding()

    async def sounding(self) -> None:
        """Until audio flows; then the rate is known."""
        try:
            async with asyncio.timeout(ANSWER_S):
                while not self._bound():  # the library has no event for it
                    await self._telephone.rest(self)
        except TimeoutError:
            await self.hang_up()
            raise HungUp("no audio was agreed on") from None

    async def refuse(self, code: int = 486) -> None:
        """The library knows one refusal: 486."""
        del code
        self.reason = self.reason or "refused"
        with suppress(HungUp):
            async with self._alive():
                await self.native.reject()
        await self._over()

    async def hang_up(self) -> None:
        self.reason = self.reason or "we hung up"
        with suppress(HungUp):
            async with self._alive():
                await self.native.hangup()
        await self._over()

    async def _over(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self.ended.wait()
        self.end("")

    def end(self, why: str) -> None:
        """Once. What was heard can still be read."""
        if self.ended.is_set():
            return
        self.reason = self.reason or why[:80] or "the other side hung up"
        self._flow()
        self.ended.set()
        self._more.set()
        self._telephone.left(self)

    # ---- sound -------------------------------------------------------------------------------------------------------

    async def read(self) -> Pcm:
        while not self._heard:
            if self.ended.is_set():
                raise HungUp(self.reason)
            self._more.clear()
            await self._more.wait()
        return self._heard.popleft()

    def write(self, pcm: Pcm) -> int:
        if self.ended.is_set():
            raise HungUp(self.reason)
        if not self._bound() or not len(pcm):
            return 0  # on hold, or negotiated anew just now
        if self._flushes():
            self._later.append(pcm)
            return len(pcm)
        return self._write(pcm)

    def _write(self, pcm: Pcm) -> int:
        info = self.native.audio.info()
        free = (info.tx_capacity - info.tx_buffered) // 2 // max(1, info.tx_channels)
        taken: int = min(len(pcm), free * self.rate // info.tx_sample_rate)
        stream = self._down(pcm[:taken]) if self._down else pcm[:taken]
        with self._fresh():
            self.native.audio.write(np.repeat(stream, info.tx_channels).tobytes())
        return taken

    @property
    def buffered_s(self) -> float:
        waiting = sum(map(len, self._later)) / self.rate
        with self._fresh():
            info = self.native.audio.info()
            if info.tx_ready and not self._flushing:
                waiting += info.tx_buffered / 2 / max(1, info.tx_channels) / info.tx_sample_rate
        return waiting

    def flush(self) -> float:
        thrown = self.buffered_s
        self._later.clear()
        with self._fresh():
            if self.native.audio.info().tx_buffered and not self._flushing:
                self._flushing = (self.native.audio.stats().tx_flushed_bytes, monotonic() + FLUSHED_S)
                self.native.audio.flush_tx()
        return thrown

    def _flushes(self) -> bool:
        """Whether the library is still to throw away what it has; with it would go what is written now."""
        if self._flushing is None:
            return False
        before, latest = self._flushing
        with self._fresh():
            if self.native.audio.stats().tx_flushed_bytes == before and monotonic() < latest:
                return True
        self._flushing = None
        if self._later:
            self._write(np.concatenate(self._later))
            self._later.clear()
        return False

    def fetch(self) -> None:
        """Every 20 ms: what the library has heard becomes frames; silence where nothing came for long."""
        if not self._answered or self.ended.is_set():
            return
        self._flushes()
        if self._flow():
            self._quiet = 0
            return
        self._quiet += 1
        if self._quiet > QUIET_TICKS:
            self._keep(np.zeros(round(self.rate * FRAME_S), np.int16))

    def _flow(self) -> bool:
        """Take all there is; whether there was anything."""
        if not self._answered or not self._bound():
            return False
        data = b""
        with self._fresh():
            info = self.native.audio.info()
            data = self.native.audio.read(info.rx_buffered) if info.rx_ready and info.rx_buffered else b""
        if not data:
            return False
        pcm = np.frombuffer(data, np.int16)
        if info.rx_channels > 1:
            pcm = pcm[: len(pcm) // info.rx_channels * info.rx_channels].reshape(-1, info.rx_channels)[:, 0]
        pcm = np.concatenate([self._rest, self._up(pcm) if self._up else pcm])
        size = round(self.rate * FRAME_S)
        whole = len(pcm) // size * size
        self._rest = pcm[whole:]
        for start in range(0, whole, size):
            self._keep(pcm[start : start + size])
        return True

    def _keep(self, frame: Pcm) -> None:
        self._dropped += len(self._heard) == LONGEST_WAIT
        self._heard.append(frame)
        self._more.set()

    def _bound(self) -> bool:
        """Whether audio flows now. A negotiation may change the rate on the wire; the call's own stays what it was."""
        from baresip import AudioNotActive

        try:
            info = self.native.audio.info()
        except AudioNotActive:
            return False
        if not info.tx_ready or not info.tx_sample_rate:
            return False
        stream = (info.tx_sample_rate, info.rx_sample_rate or info.tx_sample_rate)
        if not self._answered:
            self.rate = 8000 if info.tx_sample_rate == 8000 else 16000
            self._answered = True
            self._telephone.awake()
        if stream != self._stream:
            self._stream, self._rest = stream, np.zeros(0, np.int16)
            self._down = Resampler(self.rate, stream[0]) if stream[0] != self.rate else None
            self._up = Resampler(stream[1], self.rate) if stream[1] != self.rate else None
        return True

    # ---- handing over ------------------------------------------------------------------------------------------------

    async def transfer(self, to: str, timeout_s: float) -> None:
        from baresip import TransferFailed as Failed

        try:
            async with self._alive():
                await self.native.transfer(self._telephone.address(to), timeout=timeout_s)
        except Failed as failed:
            raise self._not_taken(failed) from None
        self.reason = f"handed over to {to}"
        await self._over()

    async def consult(self, to: str, timeout_s: float) -> SipCall:
        return await self._telephone.called(self._line, to, {}, timeout_s)

    async def join(self, other: Call) -> None:
        from baresip import BaresipError
        from baresip import TransferFailed as Failed

        if not isinstance(other, SipCall):
            raise TypeError("only calls of one telephone can be joined")

        try:
            async with self._alive():
                await self._held(True)
                await other._held(True)
                await self.native.attended_transfer(other.native)
        except BaseException as failed:
            for one in (self, other):  # both survive, on hold
                with suppress(HungUp, BaresipError):
                    await one._held(False)
            if isinstance(failed, Failed):
                raise self._not_taken(failed) from None
            raise
        self.reason = f"handed over to {other.called}"
        await self._over()
        other.reason = other.reason or self.reason
        await other.hang_up()

    async def hold(self) -> None:
        async with self._alive():
            await self._held(True)

    async def resume(self) -> None:
        async with self._alive():
            await self._held(False)

    async def _held(self, held: bool) -> None:
        """The library refuses while an earlier re-INVITE is under way; that lasts a round trip."""
        from baresip import BaresipError, StaleHandleError

        for wait in (0.1, 0.3, 1.0, None):
            try:
                await (self.native.hold() if held else self.native.resume())
            except StaleHandleError:
                raise
            except BaresipError:
                if wait is None or self.ended.is_set():
                    raise
                await asyncio.sleep(wait)
            else:
                return

    def _not_taken(self, failed: baresip.TransferFailed) -> Exception:
        if self.ended.is_set():
            return HungUp(self.reason)
        late = failed.status is None and "within" in str(failed)
        return TransferFailed(failed.status or (408 if late else 500), failed.reason)

    # ---- what the library reports ------------------------------------------------------------------------------------

    def stats(self) -> Stats:
        from baresip import CallStats

        report = self.native.final_stats or self._report or CallStats()
        starved, unread = report.audio_tx_starved_frames, report.audio_rx_discarded_bytes
        with self._fresh():
            now = self.native.audio.stats()
            starved, unread = now.tx_starved_frames, now.rx_discarded_bytes
        came = report.rx_packets + report.rx_lost
        return Stats(
            lost=round(report.rx_lost / came, 4) if came else 0.0,
            jitter_ms=report.rx_jitter_ms,
            mos=report.mos_estimate if came else None,
            starved=starved,
            dropped=self._dropped + unread // 2 // round(self.rate * FRAME_S),
        )

    def _reported(self, report: baresip.CallStats) -> None:
        self._report = report

    def _happened(self, event: baresip.StackEvent) -> None:
        from baresip import Event

        if event.event is Event.CALL_DTMF_START and event.text:  # at once: its end comes when the key is let go
            with suppress(asyncio.QueueFull):
                self.digits.put_nowait(event.text[:1])
        elif event.event is Event.CALL_CLOSED:
            text = event.text or ""
            self.end("" if text.startswith("Connection reset by peer") else text)  # its word for a BYE

    @asynccontextmanager
    async def _alive(self) -> AsyncIterator[None]:
        from baresip import BaresipError, StaleHandleError

        if self.ended.is_set():
            raise HungUp(self.reason)
        try:
            yield
        except StaleHandleError:  # the other side was faster
            self.end("")
            raise HungUp(self.reason) from None
        except BaresipError:
            if self.ended.is_set():
                raise HungUp(self.reason) from None
            raise

    @staticmethod
    def _fresh() -> suppress:
        """The streams are replaced by a negotiation, and gone on hold; what was in them is lost, the call goes on."""
        from baresip import AudioNotActive, AudioRestarted

        return suppress(AudioNotActive, AudioRestarted)


class Telephone:
    """All lines, in one runtime of the library's."""

    def __init__(
        self,
        settings: PhoneSettings,
        on_call: Callable[[SipCall], Awaitable[None]],
        on_dead: Callable[[str], None],
    ) -> None:
        """``on_call`` gets each call that comes in, unanswered, and returns soon; ``on_dead`` must end the process."""
        self._settings = settings
        self._on_call = on_call
        self._on_dead = on_dead
        self._runtime: baresip.Runtime | None = None
        self._lines: dict[str, _Registration] = {}
        self._calls: set[SipCall] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()
        self._ticked = asyncio.Event()
        self._dead = False

    # ---- opening and closing -----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listens and begins to register; a PBX that does not answer yet is tried until it does."""
        import baresip

        _discreet()
        where, port = await asyncio.to_thread(self._place)
        self._runtime = baresip.Runtime()
        self._runtime.on_dead = lambda: self._died("its thread has ended")
        await self._runtime.start(await asyncio.to_thread(self._config, where, port))
        try:
            self._ports = {port, port + 1}
            await asyncio.to_thread(self._close)
            for line in self._settings.lines:
                agent = await baresip.UserAgent.create(self._runtime, self._account(line), transfer_policy="reject")
                self._lines[line.name] = _Registration(line, agent, self._settings.renew_s)
                agent.on_incoming(lambda native, line=line: self._task(self._came(line, native)))
        except BaseException:
            await self.stop()
            raise
        for work in (self._pump(), self._watch(), *(one.keep() for one in self._lines.values())):
            self._task(work)

    async def stop(self) -> None:
        """Calls are hung up, lines signed off."""
        if self._runtime is None:
            return
        await asyncio.gather(*(call.hang_up() for call in list(self._calls)), return_exceptions=True)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        runtime, self._runtime = self._runtime, None
        if not self._dead:
            await asyncio.gather(*(one.sign_off() for one in self._lines.values()))
            await runtime.close()
        self._lines.clear()

    def lines(self) -> list[LineStatus]:
        """Each line, as it is now."""
        return [one.status(sum(call.line == name for call in self._calls)) for name, one in self._lines.items()]

    # ---- calls -------------------------------------------------------------------------------------------------------

    async def dial(
        self, line: str, number: str, headers: Mapping[str, str] | None = None, *, timeout_s: float = 30.0
    ) -> SipCall:
        """A call of ours, answered. Raises NotAnswered."""
        return await self.called(self._lines[line].line, number, headers or {}, timeout_s)

    async def called(self, line: Line, number: str, headers: Mapping[str, str], timeout_s: float) -> SipCall:
        """``dial``, for a line at hand."""
        from baresip import BaresipError, CallFailed, CallTimeout

        address = self.address(number)
        try:
            native = await self._dialled(line, address, headers)
        except BaresipError as failed:
            raise NotAnswered(503, str(failed)) from None
        call = SipCall(self, line, native, inbound=False)
        self._calls.add(call)
        try:
            await native.wait_established(timeout_s)
            await call.sounding()
        except CallTimeout:
            raise NotAnswered(408, "nobody answered") from None
        except CallFailed as failed:
            raise NotAnswered(failed.status or 503, failed.reason) from None
        except HungUp as over:
            raise NotAnswered(488, str(over)) from None
        except BaseException:  # whoever wanted the call does not want it any more
            await call.hang_up()
            raise
        finally:
            if not call.rate or call.native.state.value == "closed":
                call.end("")
        return call

    async def _dialled(self, line: Line, address: str, headers: Mapping[str, str]) -> baresip.Call:
        """A call that is on its way, and knows what has happened to it since.

        The library has its call only when our task goes on: while the loop was busy, an answer or a refusal went to nobody.
        """
        early: list[baresip.StackEvent] = []
        listen, runtime = early.append, self._runtime
        runtime.subscribe(listen)  # type: ignore[union-attr]  # not after stop
        try:
            native = await self._lines[line.name].agent.dial(address, dict(headers))
        finally:
            runtime.unsubscribe(listen)  # type: ignore[union-attr]  # not after stop
        for event in early:
            native._on_stack_event(event)
        return native

    def address(self, number: str) -> str:
        """A number as an address at the PBX; what could be more than a number is refused."""
        if not _NUMBER.fullmatch(number):
            raise ValueError("no number or extension")
        domain = self._settings.domain or self._settings.pbx
        return f"sip:{number.replace('#', '%23')}@{domain}"

    def left(self, call: SipCall) -> None:
        self._calls.discard(call)

    def awake(self) -> None:
        """A call has sound to fetch."""
        self._awake.set()

    async def rest(self, call: SipCall) -> None:
        """A moment; raises HungUp when the call is over."""
        if call.ended.is_set():
            raise HungUp(call.reason)
        await asyncio.sleep(FRAME_S / 2)

    async def _came(self, line: Line, native: baresip.Call) -> None:
        call = SipCall(self, line, native, inbound=True)
        full = sum(one.inbound for one in self._calls) >= self._settings.most_calls
        self._calls.add(call)
        if full:
            log.warning("phone=full calls=%d", self._settings.most_calls)
            await call.refuse()
            return
        try:
            await self._on_call(call)
        except Exception:
            log.exception("call=failed line=%s", line.name)
            await call.hang_up()

    async def _pump(self) -> None:
        """One clock for all calls. After a stall it goes on from now: the library has kept what came meanwhile."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if not self._calls:
                self._awake.clear()
                await self._awake.wait()
                due = loop.time()
            for call in list(self._calls):
                try:
                    call.fetch()
                except Exception:
                    log.exception("call=failed line=%s", call.line)  # the others go on
                    self._task(call.hang_up())
            due = max(due + FRAME_S, loop.time())
            await asyncio.sleep(due - loop.time())

    # ---- being well --------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Whether the library's thread still answers, and which addresses the PBX has now."""
        from baresip import BaresipError

        missed = 0
        while missed < 3:
            await asyncio.sleep(10)
            try:
                await self._runtime.set_native_log_level("warning")  # type: ignore[union-attr]  # not after stop
                missed = 0
            except BaresipError:
                missed += 1
            if not all(one.well for one in self._lines.values()):
                with suppress(OSError):
                    await asyncio.to_thread(self._close)
        self._died("its thread does not answer")

    def _died(self, why: str) -> None:
        if self._dead or self._runtime is None:
            return
        self._dead = True
        for call in list(self._calls):
            call.end("the telephone has died")
        self._on_dead(why)

    def _close(self) -> None:
        host = self._settings.pbx.partition(":")[0]
        sources = [*addresses(host), *self._settings.allowed]
        if not close_to_others(self._ports, sources):
            raise OSError("the telephone's port is not open")

    def _task(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("phone=failed", exc_info=error)

    # ---- how the library is set up -----------------------------------------------------------------------------------

    def _place(self) -> tuple[str, int]:
        """Our address, seen from the PBX, and our port. Blocks."""
        where, _, port = self._settings.listen.partition(":")
        if not where:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # connecting sends nothing
                probe.connect((self._settings.pbx.partition(":")[0], 9))
                where = str(probe.getsockname()[0])
        return where, int(port or 5070)

    def _config(self, where: str, port: int) -> baresip.Config:
        import baresip

        settings = self._settings
        more = [
            f"sip_listen {where}:{port}",
            "rtp_ports {}-{}".format(*settings.rtp_ports),
            "net_af ipv4",
            "call_hold_other_calls no",  # each call is somebody else's
            "audio_jitter_buffer_type adaptive",
            "audio_jitter_buffer_ms 20-160",
        ]
        if settings.transport == "tls":
            more += [f"sip_cafile {settings.certificate or AUTHORITIES}", "sip_verify_server yes"]
        return baresip.Config(
            net_interface=where,
            max_concurrent_calls=2 * settings.most_calls + 2,
            rtp_timeout=settings.dead_air_s,
            instance_id=_instance(settings.instance) if settings.instance else None,
            expose_headers=HEADERS,
            native_log_level="warning",
            extra_config_text="\n".join(more) + "\n",
        )

    def _account(self, line: Line) -> baresip.Account:
        import baresip

        settings = self._settings
        scheme = f"sip:{settings.pbx};transport={settings.transport}"
        # without the first an audio-only answer is followed by a re-INVITE; a SIP trunk's INVITE needs the second
        more = ["video_codecs=none", "catchall=yes"] if len(settings.lines) == 1 else ["video_codecs=none"]
        if settings.encrypted_audio:
            more.append("mediaenc=srtp-mand")
        return baresip.Account(
            line.user,
            settings.domain or settings.pbx,
            line.password,
            registrar=scheme,
            reg_interval=settings.renew_s,
            transport=settings.transport,
            audio_codecs=settings.codecs,
            auth_user=line.auth_user or None,
            extra_params=tuple(more),
        )


class _Registration:
    """One line at the PBX: registered again after every outage, and when it last was."""

    def __init__(self, line: Line, agent: baresip.UserAgent, renew_s: int) -> None:
        self.line = line
        self.agent = agent
        self._renew_s = renew_s
        self._last_ok: float | None = None
        self._why = "not registered yet"
        agent.on(self._happened)

    @property
    def well(self) -> bool:
        return not self._why and self._age() < 1.5 * self._renew_s + 5

    def status(self, calls: int) -> LineStatus:
        age = None if self._last_ok is None else round(self._age(), 1)
        why = "" if self.well else self._why or "the PBX has not confirmed the line in time"
        return LineStatus(name=self.line.name, registered=self.well, last_ok_s=age, calls=calls, why=why)

    async def keep(self) -> None:
        """The library renews by itself, but after failures waits up to half an hour, and says nothing of an outage.

        A refused password is tried rarely: a PBX locks out who keeps guessing.
        """
        from baresip import BaresipError, RegistrationError

        while True:
            try:
                if not self.well:
                    await self.agent.register(timeout=self._renew_s)
                wait = self._renew_s / 4
            except RegistrationError as failed:
                refused = failed.status in (401, 403, 407)
                self._failed(f"{failed.status or ''} {failed.reason}".strip() or "no answer from the PBX")
                wait = 300.0 if refused else self._renew_s / 4
            except BaresipError as failed:
                self._failed(str(failed))
                wait = self._renew_s / 4
            await asyncio.sleep(wait)

    async def sign_off(self) -> None:
        from baresip import BaresipError

        if self.well:
            with suppress(BaresipError):
                await self.agent.unregister(timeout=LEAVE_S)

    def _happened(self, event: baresip.StackEvent) -> None:
        from baresip import Event

        if event.event is Event.REGISTER_OK:
            if self._why:
                log.info("line=%s registered", self.line.name)
            self._last_ok, self._why = monotonic(), ""
        elif event.event is Event.REGISTER_FAIL:
            self._failed(event.text or "failed")

    def _failed(self, why: str) -> None:
        if why != self._why:
            log.warning("line=%s not registered: %s", self.line.name, why[:80])
        self._why = why[:80]

    def _age(self) -> float:
        return monotonic() - self._last_ok if self._last_ok is not None else float("inf")


class _Discretion(logging.Filter):
    """Callers' numbers stay out of the log: the library's warnings name addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = _PRIVATE.sub("***", record.getMessage()), ()
        return True


def _discreet() -> None:
    logging.getLogger("baresip").setLevel(logging.WARNING)
    for name in ("baresip.native", "baresip.native.sip"):
        one = logging.getLogger(name)
        if not any(isinstance(known, _Discretion) for known in one.filters):
            one.addFilter(_Discretion())


def _instance(file: Path) -> str:
    """Who we are to the PBX, the same after a restart (RFC 5626)."""
    with suppress(OSError, ValueError):
        return str(uuid.UUID(file.read_text().strip()))
    made = str(uuid.uuid4())
    file.write_text(made + "\n")
    return made


def _number(address: str) -> str:
    """Who, of an address: its user part; empty where there is none, as with a withheld number."""
    found = _USER.search(address)
    name = found.group(1) if found else ""
    return "" if name.lower() in ("anonymous", "unknown") else name[:64]
