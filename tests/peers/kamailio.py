"""Kamailio as the PBX: registrar and proxy with digest, on loopback. Any user, password ``secret``; ``busy`` is busy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.peers.programs import missing, program, running

DOMAIN = "clinic.test"
MODULES = "/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
PASSWORD = "secret"  # noqa: S105 - of this test's PBX


@asynccontextmanager
async def kamailio(folder: Path, port: int, *, certificate: Path | None = None) -> AsyncIterator[None]:
    """``certificate``: a PEM with key; then it listens for TLS only."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "kamailio.cfg"
    settings.write_text(_settings(folder, port, certificate))
    command = (program("kamailio"), "-DD", "-E", "-m", "16", "-M", "4", "-Y", str(folder), "-w", str(folder))
    async with running(*command, "-f", str(settings), folder=folder):
        await _listening(port, tcp=True)
        yield


async def _listening(port: int, *, tcp: bool) -> None:
    async with asyncio.timeout(60):
        while tcp:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


def _settings(folder: Path, port: int, certificate: Path | None) -> str:
    if certificate:
        if not any(any(Path(place).glob("tls.so")) for place in MODULES.split(":")):
            missing("Kamailio has no TLS: apt-get install kamailio-tls-modules")
        listen = f"enable_tls=yes\nlisten=tls:127.0.0.1:{port}"
        tls = f'loadmodule "tls.so"\nmodparam("tls", "config", "{folder}/tls.cfg")'
        (folder / "tls.cfg").write_text(
            f"[server:default]\nmethod = TLSv1.2+\ncertificate = {certificate}\nprivate_key = {certificate}\n"
            "[client:default]\nmethod = TLSv1.2+\nverify_certificate = no\n"
        )
    else:
        listen, tls = f"listen=udp:127.0.0.1:{port}\nlisten=tcp:127.0.0.1:{port}", ""
    return f"""#!KAMAILIO
debug=0
log_stderror=yes
children=2
tcp_children=2
fork=yes
{listen}
mpath="{MODULES}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "auth.so"
loadmodule "nathelper.so"
{tls}
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", 2)
modparam("registrar|nathelper", "received_avp", "$avp(received)")
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
  if (has_totag()) {{
    loose_route();
    if (is_method("ACK") && !t_check_trans()) {{ t_relay(); exit; }}
    t_relay(); exit;
  }}
  t_check_trans();
  force_rport();
  if (is_method("REGISTER")) {{
    if (!pv_www_authenticate("{DOMAIN}", "{PASSWORD}", "0")) {{ www_challenge("{DOMAIN}", "1"); exit; }}
    fix_nated_register();
    save("location"); exit;
  }}
  if (is_method("INVITE")) {{
    if (!pv_proxy_authenticate("{DOMAIN}", "{PASSWORD}", "0")) {{ proxy_challenge("{DOMAIN}", "1"); exit; }}
    consume_credentials();
    record_route();
    if ($rU == "busy") {{ sl_send_reply("486", "Busy Here"); exit; }}
  }}
  if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
  t_relay(); exit;
}}
"""
