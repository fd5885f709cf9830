"""The mode page: one file without scripts, pictures or foreign resources, for a phone as well as a desk. Pure."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from btc_shared.codes import Mode

_STYLE = """
:root{color-scheme:light dark;--back:#f4f5f7;--card:#fff;--text:#1c2330;--soft:#5b6576;--line:#d8dce3;--dry:#1f6feb;
--live:#c62828;--warn:#9a6700}
@media(prefers-color-scheme:dark){:root{--back:#11151c;--card:#1a202b;--text:#e6e9ef;--soft:#9aa4b5;--line:#2e3745;
--dry:#4c8dff;--live:#ff6b6b;--warn:#e3b341}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:34rem;margin:0 auto;padding:1rem}
section{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1rem;margin:0 0 1rem}
h1{font-size:1.15rem;margin:.5rem 0 1rem}
dt{color:var(--soft);font-size:.85rem}
dd{margin:0 0 .75rem;font-weight:600}
dd small,p small{display:block;color:var(--soft);font-weight:400}
.dry{color:var(--dry)}.live{color:var(--live)}.warn{color:var(--warn)}
.big{font-size:1.4rem}
form{margin:0 0 .75rem}
button,input{font:inherit;width:100%;padding:.75rem;border-radius:.5rem;border:1px solid var(--line)}
input{background:var(--back);color:inherit;margin:.25rem 0 .5rem}
button{background:var(--dry);color:#fff;border:0;font-weight:600;cursor:pointer}
button.live{background:#c62828;color:#fff}button.warn{background:#9a6700;color:#fff}
button.plain{background:none;color:inherit;border:1px solid var(--line)}
button:disabled{opacity:.45;cursor:not-allowed}
ul{margin:.25rem 0;padding-left:1.25rem}
a{color:var(--dry)}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    # Not 'no-referrer': then a form's Origin would be 'null' and our own buttons would look foreign.
    "Referrer-Policy": "same-origin",
}


@dataclass(frozen=True, kw_only=True)
class View:
    """What the page shows. `form_value` goes into every form; ages are texts."""

    in_effect: Mode
    in_effect_age: str | None
    requested: Mode
    requested_age: str | None
    halted: bool
    winding_down: bool
    obstacles: Sequence[str]
    logged_in: bool
    token_configured: bool
    form_value: str
    message: str | None = None
    message_is_bad: bool = False


def render(view: View, words: Mapping[str, str]) -> str:
    """The page as HTML."""
    body = [_message(view), _facts(view, words), _obstacles(view, words), _safe_side(view, words), _live(view, words)]
    return (
        f'<!doctype html><html lang="{words["language"]}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(words['title'])}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(words['title'])}</h1>{''.join(body)}"
        f'<p><a href="/mode">{escape(words["refresh"])}</a></p></main></body></html>'
    )


def _message(view: View) -> str:
    if not view.message:
        return ""
    return f'<section role="status" class="{"live" if view.message_is_bad else ""}">{escape(view.message)}</section>'


def _facts(view: View, words: Mapping[str, str]) -> str:
    said = words["executor_said"].format(age=view.in_effect_age) if view.in_effect_age else words["executor_silent"]
    changed = words["changed"].format(age=view.requested_age) if view.requested_age else words["never_changed"]
    rows = [
        _row(words["in_effect"], words[view.in_effect], f"big {view.in_effect}", said),
        _row(words["requested"], words[view.requested], view.requested, changed),
        _row(words["entries"], words["halted" if view.halted else "running"], "warn" if view.halted else "", ""),
    ]
    winding = f'<p class="warn">{escape(words["winding_down"])}</p>' if view.winding_down else ""
    return f"<section><dl>{''.join(rows)}</dl>{winding}</section>"


def _row(name: str, value: str, css: str, note: str) -> str:
    small = f"<small>{escape(note)}</small>" if note else ""
    return f'<dt>{escape(name)}</dt><dd class="{css}">{escape(value)}{small}</dd>'


def _obstacles(view: View, words: Mapping[str, str]) -> str:
    if not view.obstacles or view.requested is Mode.LIVE:
        return ""
    items = "".join(f"<li>{escape(reason)}</li>" for reason in view.obstacles)
    return f"<section>{escape(words['obstacles'])}<ul>{items}</ul></section>"


def _safe_side(view: View, words: Mapping[str, str]) -> str:
    dry = _form("/set-dry", view, _button(words["to_dry"], "", disabled=view.requested is Mode.DRY))
    halt = "" if view.halted else _form("/halt", view, _button(words["halt"], "warn"))
    return f"<section>{dry}{halt}</section>"


def _live(view: View, words: Mapping[str, str]) -> str:
    if not view.token_configured:
        return f"<section>{escape(words['no_token'])}</section>"
    if not view.logged_in:
        field = (
            f"<p>{escape(words['why_log_in'])}</p><label>{escape(words['token'])}"
            '<input type="password" name="token" required autocomplete="current-password"></label>'
        )
        return f"<section>{_form('/login', view, field + _button(words['log_in'], 'plain'))}</section>"
    confirm = (
        f"<label>{escape(words['confirm'])}"
        '<input name="confirm" required pattern="LIVE" autocomplete="off" autocapitalize="characters"></label>'
    )
    blocked = bool(view.obstacles) or view.requested is Mode.LIVE
    live = _form("/set-live", view, confirm + _button(words["to_live"], "live", disabled=blocked))
    resume = _form("/resume", view, _button(words["resume"], "plain")) if view.halted else ""
    return f"<section>{resume}{live}{_form('/logout', view, _button(words['log_out'], 'plain'))}</section>"


def _form(action: str, view: View, content: str) -> str:
    hidden = f'<input type="hidden" name="form" value="{escape(view.form_value)}">'
    return f'<form method="post" action="{action}">{hidden}{content}</form>'


def _button(text: str, css: str, *, disabled: bool = False) -> str:
    return f'<button class="{css}"{" disabled" if disabled else ""}>{escape(text)}</button>'
