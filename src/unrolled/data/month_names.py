"""Names of months and weekdays in European languages, which are read as the English ones."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

import polars as pl

from unrolled.errors import DataError, message

ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# full names without accents; a bar separates several names of one month; parts of three letters are read as well
_MONTHS = {
    "German": "januar|janner februar|feber marz|maerz|mrz april mai juni juli august september oktober november "
    "dezember",
    "French": "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre|setiembre octubre noviembre diciembre",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "Portuguese": "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
    "Dutch": "januari februari maart|mrt april mei juni juli augustus september oktober november december",
    "Swedish": "januari februari mars april maj juni juli augusti september oktober november december",
    "Danish": "januar februar marts april maj juni juli august september oktober november december",
    "Norwegian": "januar februar mars april mai juni juli august september oktober november desember",
    "Finnish": "tammikuu helmikuu maaliskuu huhtikuu toukokuu kesakuu heinakuu elokuu syyskuu lokakuu marraskuu "
    "joulukuu",
    "Polish": "styczen|stycznia luty|lutego marzec|marca kwiecien|kwietnia maj|maja czerwiec|czerwca lipiec|lipca "
    "sierpien|sierpnia wrzesien|wrzesnia pazdziernik|pazdziernika listopad|listopada grudzien|grudnia",
    "Czech": "leden|ledna unor|unora brezen|brezna duben|dubna kveten|kvetna cerven|cervna cervenec|cervence "
    "srpen|srpna zari rijen|rijna listopad|listopadu prosinec|prosince",
    "Croatian": "sijecanj|sijecnja veljaca|veljace ozujak|ozujka travanj|travnja svibanj|svibnja lipanj|lipnja "
    "srpanj|srpnja kolovoz|kolovoza rujan|rujna listopad|listopada studeni|studenoga prosinac|prosinca",
    "Hungarian": "januar februar marcius aprilis majus junius julius augusztus szeptember oktober november december",
    "Turkish": "ocak subat mart nisan mayis haziran temmuz agustos eylul ekim kasim aralik",
    "Romanian": "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    "Slovak": "januar|januara februar|februara marec|marca april|aprila maj|maja jun|juna jul|jula august|augusta "
    "september|septembra oktober|oktobra november|novembra december|decembra",
    "Slovenian": "januar februar marec april maj junij julij avgust september oktober november december",
    "Estonian": "jaanuar veebruar marts aprill mai juuni juuli august september oktoober november detsember",
    "Latvian": "janvaris februaris marts aprilis maijs junijs julijs augusts septembris oktobris novembris decembris",
    "Lithuanian": "sausis|sausio vasaris|vasario kovas|kovo balandis|balandzio geguze|geguzes birzelis|birzelio "
    "liepa|liepos rugpjutis|rugpjucio rugsejis|rugsejo spalis|spalio lapkritis|lapkricio gruodis|gruodzio",
    "Greek": "ιανουαριος|ιανουαριου φεβρουαριος|φεβρουαριου μαρτιος|μαρτιου απριλιος|απριλιου μαιος|μαιου "
    "ιουνιος|ιουνιου ιουλιος|ιουλιου αυγουστος|αυγουστου σεπτεμβριος|σεπτεμβριου οκτωβριος|οκτωβριου "
    "νοεμβριος|νοεμβριου "
    "δεκεμβριος|δεκεμβριου",
    "Bulgarian": "януари февруари март април май юни юли август септември октомври ноември декември",
    "Ukrainian": "січень|січня лютий|лютого березень|березня квітень|квітня травень|травня червень|червня липень|липня "
    "серпень|серпня вересень|вересня жовтень|жовтня листопад|листопада грудень|грудня",
    "Russian": "январь|января февраль|февраля март|марта апрель|апреля май|мая июнь|июня июль|июля август|августа "
    "сентябрь|сентября октябрь|октября ноябрь|ноября декабрь|декабря",
}
_WEEKDAYS = (
    "montag", "dienstag", "mittwoch", "donnerstag", "freitag", "samstag", "sonnabend", "sonntag", "lundi", "mardi",
    "mercredi", "jeudi", "vendredi", "samedi", "dimanche", "lunes", "martes", "miercoles", "jueves", "viernes",
    "sabado", "domingo", "lunedi", "martedi", "mercoledi", "giovedi", "venerdi", "sabato", "domenica", "segunda",
    "terca", "quarta", "quinta", "sexta", "feira", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag",
    "zaterdag", "zondag", "mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lordag", "sondag", "tisdag",
    "maanantai", "tiistai", "keskiviikko", "torstai", "perjantai", "lauantai", "sunnuntai", "poniedzialek",
    "wtorek", "sroda", "czwartek", "piatek", "sobota", "niedziela", "pondeli", "utery", "streda", "ctvrtek",
    "patek", "nedele", "понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье", "пн",
    "вт", "ср", "чт", "пт", "сб", "вс", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
    "sunday",
)  # fmt: skip
_SMALL = ("er", "de", "del", "den", "d", "der", "am", "le", "el", "la", "il", "o", "a", "das", "um", "uhr", "kl",
          "om", "klo",
          "alle", "ore", "a las", "las", "r", "roku", "г", "года", "ta", "di", "do", "at", "of")  # fmt: skip
_KEPT = ("utc", "gmt", "z", "am", "pm", "t", "q", "w", "m", "h")  # these mean something in an English writing
_WORD = r"[^\W\d_]+"
_FIRST_WORD = r"^\s*(?<word>[^\W\d_]+)\.?,?\s+(?<rest>.*)$"
_LEAST = 3  # letters of a shortened month
_MOST_WORDS = 200  # different words of a column; more are no names of months


def english_names(values: pl.Series, language: str = "") -> tuple[pl.Series, str]:
    """Return texts with the names of months in English and without those of weekdays, and the language they were in.

    Texts with a word that no language has are returned as they are.

    Args:
        values: the column.
        language: the language that was learnt; "" to recognise it.

    Raises:
        DataError: names that are different months in several languages.

    Example:
        >>> english_names(pl.Series(["31. Mai 2024"]))[0].to_list()
        ['31. may 2024']
    """
    values = _without_weekdays(values)
    words = frozenset(values.str.extract_all(_WORD).explode().drop_nulls().unique().head(_MOST_WORDS + 1).to_list())
    if not words or len(words) > _MOST_WORDS:
        return values, ""
    found: dict[tuple[tuple[str, str], ...], str] = {}
    for one in [language] if language else _MONTHS:
        read = _read_words(words, one)
        if read:
            found.setdefault(read, one)
    if len(found) > 1:
        raise _several(values, found)
    if not found:
        return values, ""
    read, language = next(iter(found.items()))
    for word, name in sorted(read, key=lambda pair: -len(pair[0])):
        if word != name:
            kept = f"${{1}}{name}${{3}}" if name else "${1} ${3}"
            values = values.str.replace_all(rf"(^|[^\p{{L}}]){re.escape(word)}(\.?)($|[^\p{{L}}])", kept)
    named = any(name in ENGLISH for _, name in read)
    return values.str.replace_all(r"^[\s,.-]+", "").str.replace_all(r"\s+", " "), language if named else ""


def _without_weekdays(values: pl.Series) -> pl.Series:
    """Return texts without a weekday in front, if all have one: "mar" is also March in some languages."""
    found = values.drop_nulls().str.extract_groups(_FIRST_WORD).struct.unnest()
    words = found["word"].unique().to_list()
    if not words or None in words or len(words) > _MOST_WORDS or not found["rest"].str.contains(_WORD).all():
        return values
    return values.str.replace(_FIRST_WORD, "${rest}") if all(_is_weekday(_plain(word)) for word in words) else values


def _several(values: pl.Series, found: Mapping[tuple[tuple[str, str], ...], str]) -> DataError:
    one, other = list(found)[:2]
    word, first = next(pair for pair in one if pair not in other)
    row = int(values.str.contains(word, literal=True).fill_null(False).arg_max() or 0)
    meanings = f"{first} in {found[one]} and {dict(other)[word] or 'no month'} in {found[other]}"
    return DataError(
        message(f"column {values.name!r}", expected="months of one language",
                received=f"{values[row]!r} in row {row}, which is {meanings}", remedy="write the months as numbers")
    )  # fmt: skip


@lru_cache(maxsize=256)
def _read_words(words: frozenset[str], language: str) -> tuple[tuple[str, str], ...]:
    """Return each word with its English month, "" for one without meaning; nothing if one is not of the language."""
    read = []
    for word in sorted(words):
        plain = _plain(word)
        month = _month(plain, language)
        kept = plain in _KEPT
        if month is None and not kept and plain not in _SMALL and not _is_weekday(plain):
            return ()
        read.append((word, ENGLISH[month] if month is not None else word if kept else ""))
    return tuple(read)


def _month(word: str, language: str) -> int | None:
    """Return the number of the month that a word names or begins, from 0; None for none, or for several."""
    if len(word) < _LEAST:
        return None
    months = [[_plain(name) for name in one.split("|")] for one in _MONTHS[language].split()]
    whole = [number for number, names in enumerate(months) if word in names]
    begun = whole or [number for number, names in enumerate(months) if any(name.startswith(word) for name in names)]
    return begun[0] if len(begun) == 1 else None


def _is_weekday(word: str) -> bool:
    return len(word) > 1 and any(_plain(day).startswith(word) for day in _WEEKDAYS)


def _plain(word: str) -> str:
    """Return a word in small letters without accents."""
    apart = unicodedata.normalize("NFKD", word.lower().replace("ł", "l").replace("ø", "o").replace("ı", "i"))
    return "".join(sign for sign in apart if not unicodedata.combining(sign))
