"""Shows the value of a spreadsheet's cell as the spreadsheet does: dates, amounts, percentages.

The common formats are followed. An unusual one gives the plain value, with a date as ISO 8601 writes it.
"""

import datetime as dt
import re

Shown = str | int | float | None

_DAYS = "월화수목금토일"
# The first of these formats are written differently on a Korean computer than in the file.
_SYSTEM_DATES = ("mm-dd-yy", "[$-x-sysdate]", "[$-f800]")
_SYSTEM_TIMES = ("m/d/yy h:mm", "m/d/yyyy h:mm", "[$-x-systime]", "[$-f400]")
# No longer one can be made in a spreadsheet, and it is searched for each cell.
_MAX_CHARS = 255
_MAX_EXACT = 10**15
_MAX_DECIMALS = 15
_SYMBOL = re.compile(r"\[\$([^\]-]*)[^\]]*\]")
_BRACKET = re.compile(r"\[[^\]]*\]")
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_.|\*.|(?P<half>AM/PM|A/P|오전/오후)|\[(?P<long>h+|m+|s+)\]|\[[^\]]*\]'
    r"|(?P<second>s+(?:\.0+)?)|(?P<field>y+|m+|d+|h+|a{3,4})|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_DIGITS = re.compile(
    r"[#0?](?:[#0?,]*[#0?])?(?P<scale>,*)(?:\.(?P<decimals>[#0?]*))?(?P<exponent>E[+-]0+)?", re.IGNORECASE
)
# A telephone number, or a date as a number: 000-0000-0000.
_GROUPS = re.compile(r"[#0][-/ \0()]+[#0]")
_GENERAL = re.compile("general", re.IGNORECASE)


def shown(value: object, number_format: str) -> Shown:
    """The value as text, or as a number where it is shown plainly."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if len(number_format) > _MAX_CHARS:
        number_format = "General"
    if isinstance(value, dt.timedelta):
        return _shown_duration(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return _shown_time(value, number_format)
    if isinstance(value, int | float):
        return _shown_number(value, number_format)
    return str(value)


def _plain(value: float) -> Shown:
    if isinstance(value, float):
        if value != value or value in {float("inf"), float("-inf")}:  # noqa: PLR0124  only NaN differs from itself
            return str(value)
        # 0.1 + 0.2 is shown as 0.3: a spreadsheet has 15 digits.
        value = float(f"{value:.15g}")
        if value.is_integer() and abs(value) < _MAX_EXACT:
            return int(value)
    return value


def _shown_number(value: float, number_format: str) -> Shown:
    plain = _plain(value)
    if isinstance(plain, str):
        return plain
    sections = _sections(number_format)
    section = sections[0]
    if len(sections) > 1 and plain is not None and plain < 0:
        section, value = sections[1], -value
    elif len(sections) > 2 and plain == 0:
        section = sections[2]
    section = _BRACKET.sub("", _SYMBOL.sub(lambda found: '"' + found[1].replace('"', "") + '"', section))
    if _GENERAL.search(section) or not section or "/" in section or section.strip() == "@":
        return plain
    try:
        return _filled(value, section) or plain
    except OverflowError:
        # A hundred percent signs, or commas, which divide by a thousand each.
        return plain


def _filled(value: float, section: str) -> str | None:
    """The number in its pattern; None when there is none."""
    literals = re.sub(r'"[^"]*"|\\.|_.|\*.', lambda found: "\0" * len(found[0]), section)
    found = _DIGITS.search(literals)
    if found is None:
        return _literal(section) if section.strip() else None
    if _GROUPS.search(literals):
        return _grouped(value, section, literals)
    decimals = min(len(found["decimals"] or ""), _MAX_DECIMALS)
    if found["exponent"]:
        number = f"{value:.{decimals}E}"
    else:
        number = _fixed(value * 100 ** literals.count("%") / 1000 ** len(found["scale"]), found[0], decimals)
    sign = "-" if number.startswith("-") else ""
    return sign + _literal(section[: found.start()]) + number.removeprefix("-") + _literal(section[found.end() :])


def _grouped(value: float, section: str, literals: str) -> str:
    """Digits filled in from the right, with the signs between them."""
    digits = list(str(abs(round(value))))
    parts = []
    first = min(place for place, sign in enumerate(literals) if sign in "#0")
    for place in range(len(section) - 1, -1, -1):
        sign = literals[place]
        if sign not in "#0":
            parts.append(section[place] if sign != "\0" or section[place] not in '"\\' else "")
        elif place == first:
            parts.append("".join(digits) or ("0" if sign == "0" else ""))
        else:
            parts.append(digits.pop() if digits else "0" if sign == "0" else "")
    return ("-" if value < 0 else "") + "".join(reversed(parts))


def _fixed(value: float, pattern: str, decimals: int) -> str:
    # Halves go up, as in a spreadsheet, not to the even digit.
    whole, _, part = (
        f"{_round_half_up(value, decimals):{',' if ',' in pattern.rstrip(',') else ''}.{decimals}f}".partition(".")
    )
    optional = len(pattern.partition(".")[2]) - len(pattern.partition(".")[2].rstrip("#"))
    while optional > 0 and part.endswith("0"):
        part, optional = part[:-1], optional - 1
    least = sum(sign == "0" for sign in pattern.partition(".")[0])
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    digits = digits.rjust(least, "0") if least > len(digits) else digits
    return sign + digits + ("." + part if part else "")


def _round_half_up(value: float, decimals: int) -> float:
    nudged: float = value + (1 if value >= 0 else -1) * 10.0 ** -(decimals + 6)
    return round(nudged, decimals) + 0.0


def _literal(part: str) -> str:
    """What stands beside the digits: units, signs, spaces."""
    part = re.sub(r"_.|\*.", "", part)
    return re.sub(r'"([^"]*)"|\\(.)', lambda found: found[1] or found[2] or "", part)


def _sections(number_format: str) -> list[str]:
    """The parts for positive, negative and zero numbers, and for text."""
    parts = re.findall(r'(?:"[^"]*"|\\.|\[[^\]]*\]|[^;])*+;?', number_format)[:-1]
    return [part.removesuffix(";") for part in parts] or [""]


def _shown_duration(value: dt.timedelta) -> str:
    seconds = round(value.total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _shown_time(value: dt.datetime | dt.date | dt.time, number_format: str) -> str:
    lowered = number_format.lower()
    if isinstance(value, dt.time):
        moment, is_date_shown = dt.datetime.combine(dt.date(1900, 1, 1), value), False
    elif isinstance(value, dt.datetime):
        moment, is_date_shown = value, True
    else:
        moment, is_date_shown = dt.datetime.combine(value, dt.time()), True
    if any(lowered.startswith(system) for system in _SYSTEM_TIMES):
        return f"{moment:%Y-%m-%d %H:%M}" if is_date_shown else f"{moment:%H:%M:%S}"
    section = _sections(number_format)[0]
    if any(lowered.startswith(system) for system in _SYSTEM_DATES) or not re.search("[ymdhsa]", _literal_free(section)):
        if not is_date_shown:
            return value.isoformat()
        return f"{moment:%Y-%m-%d}" if moment.time() == dt.time() else moment.isoformat(sep=" ")
    return _written(moment, list(_TOKEN.finditer(section)))


def _literal_free(section: str) -> str:
    return re.sub(r'"[^"]*"|\\.|\[[^\]]*\]', "", section.lower())


def _written(moment: dt.datetime, tokens: list[re.Match[str]]) -> str:
    has_half = any(token["half"] for token in tokens)
    parts = []
    for place, token in enumerate(tokens):
        code = (token["field"] or token["long"] or "").lower()
        if token["second"]:
            parts.append(f"{moment.second:02}" if token["second"].lower().startswith("ss") else str(moment.second))
        elif token["half"]:
            names = token["half"].split("/")
            parts.append(names[moment.hour >= 12])
        elif code.startswith("m") and _is_minute(tokens, place):
            parts.append(f"{moment.minute:0{min(len(code), 2)}}")
        elif code:
            parts.append(_part_of(moment, code, has_half=has_half))
        else:
            parts.append(token["quoted"] or token["escaped"] or token["other"] or "")
    return "".join(parts).strip(" ;@")


def _is_minute(tokens: list[re.Match[str]], place: int) -> bool:
    """`m` is minutes behind hours and before seconds, else months."""
    before = [t for t in tokens[:place] if t["field"] or t["long"] or t["second"]]
    after = [t for t in tokens[place + 1 :] if t["field"] or t["long"] or t["second"]]
    is_behind_hours = bool(before) and (before[-1]["field"] or before[-1]["long"] or "").lower().startswith("h")
    return is_behind_hours or bool(after and after[0]["second"])


def _part_of(moment: dt.datetime, code: str, *, has_half: bool) -> str:
    day = _DAYS[moment.weekday()]
    hour = (moment.hour % 12 or 12) if has_half else moment.hour
    known = {
        "yy": f"{moment.year % 100:02}",
        "m": str(moment.month),
        "mm": f"{moment.month:02}",
        "mmm": f"{moment:%b}",
        "mmmm": f"{moment:%B}",
        "d": str(moment.day),
        "dd": f"{moment.day:02}",
        "ddd": f"{moment:%a}",
        "dddd": f"{moment:%A}",
        "aaa": day,
        "aaaa": day + "요일",
        "h": str(hour),
        "hh": f"{hour:02}",
    }
    return known.get(code, f"{moment.year:04}" if code.startswith("y") else "")
