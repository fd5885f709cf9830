"""The mode page's words, in English and Portuguese. Reasons of refusals stay as the services give them."""

from collections.abc import Mapping

ENGLISH: Mapping[str, str] = {
    "language": "en",
    "title": "BTC trading agent: mode",
    "in_effect": "In effect",
    "requested": "Requested",
    "dry": "DRY RUN (simulated money)",
    "live": "LIVE (real money)",
    "executor_said": "the executor said so {age} ago",
    "executor_silent": "the executor has never reported: DRY is assumed",
    "changed": "changed {age} ago",
    "never_changed": "never changed",
    "entries": "Entries",
    "running": "allowed",
    "halted": "HALTED: no entry in any mode; exits go on",
    "winding_down": "A live position is open. It is protected until it is closed.",
    "obstacles": "LIVE cannot be requested now:",
    "to_dry": "Switch to DRY",
    "halt": "Halt entries",
    "resume": "Resume entries",
    "to_live": "Switch to LIVE",
    "confirm": "Type LIVE to trade real money",
    "token": "Control token",
    "log_in": "Log in",
    "log_out": "Log out",
    "why_log_in": "Going LIVE and resuming need the control token.",
    "no_token": "CONTROL_TOKEN is not set: nobody can go LIVE or resume.",
    "refresh": "Refresh",
    "notice_dry": "DRY is requested.",
    "notice_live": "LIVE is requested. It is in effect once the executor says so.",
    "notice_halted": "Entries are halted.",
    "notice_resumed": "Entries are allowed again.",
    "notice_in": "Logged in for 15 minutes.",
    "notice_out": "Logged out.",
    "wrong_token": "That is not the control token.",
    "press_button": "Nothing was changed: confirm with the button below.",
}

PORTUGUESE: Mapping[str, str] = {
    "language": "pt-BR",
    "title": "Agente de trading BTC: modo",
    "in_effect": "Em vigor",
    "requested": "Pedido",
    "dry": "DRY RUN (dinheiro simulado)",
    "live": "REAL (dinheiro de verdade)",
    "executor_said": "informado pelo executor há {age}",
    "executor_silent": "o executor nunca informou: vale DRY",
    "changed": "mudou há {age}",
    "never_changed": "nunca mudou",
    "entries": "Entradas",
    "running": "permitidas",
    "halted": "PARADAS: nenhuma entrada em modo algum; as saídas continuam",
    "winding_down": "Há uma posição real aberta. Ela fica protegida até ser fechada.",
    "obstacles": "REAL não pode ser pedido agora:",
    "to_dry": "Mudar para DRY",
    "halt": "Parar entradas",
    "resume": "Retomar entradas",
    "to_live": "Mudar para REAL",
    "confirm": "Digite LIVE para operar com dinheiro de verdade",
    "token": "Token de controle",
    "log_in": "Entrar",
    "log_out": "Sair",
    "why_log_in": "Mudar para REAL e retomar exigem o token de controle.",
    "no_token": "CONTROL_TOKEN não está definido: ninguém pode mudar para REAL nem retomar.",
    "refresh": "Atualizar",
    "notice_dry": "DRY foi pedido.",
    "notice_live": "REAL foi pedido. Entra em vigor quando o executor informar.",
    "notice_halted": "As entradas estão paradas.",
    "notice_resumed": "As entradas estão permitidas de novo.",
    "notice_in": "Sessão aberta por 15 minutos.",
    "notice_out": "Sessão encerrada.",
    "wrong_token": "Esse não é o token de controle.",
    "press_button": "Nada mudou: confirme com o botão abaixo.",
}


def words_for(accept_language: str) -> Mapping[str, str]:
    """Portuguese for browsers that ask for it first, else English."""
    return PORTUGUESE if accept_language.strip().lower().startswith("pt") else ENGLISH


def age_text(seconds: float) -> str:
    """A duration for a person: `12 s`, `3 min`, `2 h`, `4 d`."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
