"""Which of the four languages a text is in, even of two words or with two languages mixed. Knows words and letters, no document.

Each word votes: Chinese characters and Devanagari by their script, Latin words by the tables below, which hold what ties a
language together and what patients ask about, the rest by their letters. Hindi in Latin letters ("kal kab khulega") is Hindi.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal

from appliance.message import LANGUAGES, Language

Script = Literal["latin", "han", "devanagari", "other"]

ENOUGH: Final = 0.5
"""Votes that a language needs, and by which it must lead, before it overrules the hint."""
_HAN_VOTE: Final = 0.8
_FOREIGN: Final = 1.25
"""A Spanish or Hindi word in an English sentence tells more than the other way round: who writes it speaks the language."""


def detect(text: str, *, hint: Language | None = None) -> Language:
    """The language of the text; where the words do not tell ("ok", "555-0100"), the hint, else English."""
    votes = _votes(text)
    best = max(LANGUAGES, key=lambda language: votes[language])
    if hint and votes[best] - votes[hint] < ENOUGH:
        return hint
    return best


def scripts(text: str) -> dict[Script, int]:
    """How many letters of each script, most first."""
    counted: Counter[Script] = Counter()
    for letter in text:
        if letter.isalpha() or unicodedata.combining(letter) or "\u0900" <= letter <= "\u097f":
            counted[_script(letter)] += 1
    return dict(counted.most_common())


def _script(letter: str) -> Script:
    code = ord(letter)
    if 0x3400 <= code <= 0x4DBF or 0x4E00 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x323AF:
        return "han"
    if 0x0900 <= code <= 0x097F or 0xA8E0 <= code <= 0xA8FF:
        return "devanagari"
    return "latin" if code < 0x0250 or 0x1E00 <= code <= 0x1EFF or 0x0300 <= code <= 0x036F else "other"


def _votes(text: str) -> dict[Language, float]:
    votes: dict[Language, float] = dict.fromkeys(LANGUAGES, 0.0)
    for word in _WORD.findall(unicodedata.normalize("NFKC", text)):
        script = _script(word[0])
        if script == "han":
            votes["zh"] += _HAN_VOTE * len(word)
        elif script == "devanagari":
            votes["hi"] += _FOREIGN
        elif script == "latin":
            for language, weight in _latin(word):
                votes[language] += weight
    if _SPANISH_MARKS.search(text):
        votes["es"] += 1.0
    return votes


def _latin(word: str) -> Iterable[tuple[Language, float]]:
    plain = _plain(word)
    if plain in _TELLS_NOTHING:
        return ()
    if found := [(language, weight) for words, language, weight in _TABLES if plain in words]:
        return [(language, weight / len(found)) for language, weight in found]
    if _SPANISH_LETTER.search(word):
        return [("es", _FOREIGN)]
    return _by_letters(plain) if len(plain) > 3 and word[1:].islower() else ()


def _by_letters(word: str) -> Iterable[tuple[Language, float]]:
    """A word of no table: a small vote by its groups of three letters, and by how Hindi is typed (bh, dh, aa …)."""
    padded = f"^{word}$"
    groups = [padded[place : place + 3] for place in range(len(padded) - 2)]
    lean = sum((group in _SPANISH_GROUPS) - (group in _ENGLISH_GROUPS) for group in groups) / len(groups)
    if _HINDI_SPELLING.search(word) and abs(lean) < 0.5:
        return [("hi", 0.4)]
    return [("es" if lean > 0 else "en", min(0.6, abs(lean) * 1.5))] if abs(lean) > 0.1 else ()


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word.lower().replace("\u2019", "'"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


_WORD: Final = re.compile(
    r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+|[\u0900-\u0963\u0971-\u097f]+|(?<![\d_])[^\W\d_\u0900-\u097f\u3400-\u9fff\uf900-\ufaff]++(?:['\u2019][a-zA-Z]+)?(?!\d)"
)
_SPANISH_MARKS: Final = re.compile("[¿¡]")
_SPANISH_LETTER: Final = re.compile("[ñáéíóú]", re.IGNORECASE)
_HINDI_SPELLING: Final = re.compile(
    r"[bdgkj]h(?=[aeiou])|aa|ee[nyk]|oon$|iye$|enge$|unga$|ega$|egi$|ata$|ati$|ate$|ein$|ain$"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TELLS_NOTHING: Final = _words(
    """
    ok okay no si a me he has ha so do to main north south east west street clinic clinica hospital doctor dr dra
    covid covid-19 pcr mri ct
    medicare medicaid wic app email web google whatsapp texas oregon general normal total final local animal hotel
    color error
    plan formal capital legal social control virus diabetes fax sms wifi mg ml am pm vs id o u
    """
)
"""Names, abbreviations and words that two of the languages share, with those that are only letters of ids."""
_ENGLISH: Final = _words(
    """
    the of and is are was were been be will would can could may might should must shall do does did don't doesn't
    didn't can't won't
    i i'm i'd i've my mine you your you're yours we our us it its it's they them their this that these those there
    here what what's which
    who whom whose when where why how if then than because but or not for from with without at by on in into about
    after before until
    during over under between through an any some all every each both few more most other another only just also too
    very much many
    have had having get got getting go going come take make made need want like know tell please thanks thank hello
    hey hi bye yes
    """
)
_BORROWED: Final = _words(
    """
    thx fee sliding good morning afternoon evening night today tomorrow yesterday tonight now soon late early again
    still already
    ever never always
    monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thurs fri sat sun weekend weekday
    weekdays
    day days week weeks month months year years hour hours minute minutes time times open opens opening close closes
    closed closing
    appointment appointments appt visit visits cost costs price prices pay paying bill insurance card money free cash
    number phone call
    calling address parking bus where's who's child children kid kids baby son daughter husband wife mother father
    mom dad old
    vaccine vaccines vaccination shot shots flu test tests testing results result blood lab labs pharmacy refill
    refills medicine
    medicines medication medications prescription pain sick fever cough nurse dentist dental walk walk-in schedule
    reschedule cancel change
    records record form forms bring see find help speak talk someone person new patient patients front desk sports
    physical birth
    x-ray xray interpreter language english spanish chinese wait long first next last same back out up down off
    headache stomach chest breathing symptoms symptom treatment infection disease health care people doctors
    """
)
_SPANISH: Final = _words(
    """
    el los las un una unos unas de del al en por para con sin sobre entre hasta desde segun durante contra que como
    cuando donde
    cuanto cuanta cuantos cuantas cual cuales quien quienes porque pero sino aunque si ya muy mas menos tan tanto
    tambien tampoco
    yo tu usted ustedes ella ellos ellas nosotros mi mis su sus nuestro nuestra nos se le les lo esto este esta estos
    estas eso ese
    esa aqui alli ahi es son soy eres era fue ser estar estoy estan hay haber he tengo tiene tienen tener puedo puede
    pueden
    podemos poder quiero quiere necesito necesita debo hacer hago hace hacen ir voy va van dar dan da pedir ver saber
    se sabe
    atienden aceptan abren abre abierto abierta abiertos cierran cierra cerrado cerrada ofrecen cobran cobra cuesta
    cuestan vale
    hola gracias buenos buenas dias tardes noches adios favor ayuda ayudar por disculpe perdon
    hoy manana ayer ahora luego despues antes tarde temprano siempre nunca todavia lunes martes miercoles jueves
    viernes sabado sabados
    domingo domingos dia semana mes meses ano anos hora horas horario horarios minutos fin cita citas turno consulta
    precio precios
    costo gratis dinero pagar pago seguro tarjeta numero telefono llamar llamo direccion estacionamiento nino ninos
    nina hijo hija
    bebe esposo esposa madre padre mama papa vacuna vacunas gripe prueba pruebas examen examenes resultado resultados
    sangre
    farmacia receta recetas medicina medicinas medicamento medicamentos dolor duele enfermo enferma fiebre tos
    enfermera dentista
    medico medica espanol ingles idioma interprete otro otra otros otras todo toda todos todas algo alguien nada
    nadie cada mucho
    mucha muchos bien mal mejor edad anos cancelar cambiar traer llevar documentos papeles necesario puedes tienes
    quiera
    embarazada parto radiografia laboratorio clinicas paciente pacientes salud persona personas enfermedad y e
    """
)
_HINDI: Final = _words(
    """
    hai hain tha thi thay hoon hun ho hota hoti hote hoga hogi honge hogaya hua hui hue raha rahi rahe gaya gayi gaye
    kya kyaa kab kaha
    kahan kahaan kaise kaisa kaisi kitna kitni kitne kaun kaunsa kaunsi kon kyun kyu kyon kyunki nahi nahin nhi nai
    haan han ji
    aap aapka aapki aapke apka apki apke apko aapko apna apni apne mera meri mere mujhe mujhko mai mein maine hum
    hume hamara hamari hamare
    humein tum tumhara tera uska uski uske iska iski iske isko usko yeh ye yah woh wo voh ka ki ke ko par pe tak liye
    lie saath
    sath bina pehle pahle baad bad andar bahar paas pass aur ya lekin magar agar toh bhi sirf bahut bohot thoda zyada
    jyada kam
    aaj kal parso parson abhi subah shaam sham dopahar raat din mahina mahine hafta hafte saal baje bajey ghanta ghante
    somvar somwar mangalvar mangalwar budhvar budhwar guruvar guruwar shukravar shukrawar shanivar shaniwar ravivar
    raviwar itvaar itwar
    khula khuli khule khulta khulti khulte khulega khulegi khulenge band bandh karna karni karne karta karti karte
    karo kare karen
    karein karu karun kar karke kiya kijiye dijiye dena deni dete deta deti diya lena leni lene lete leta lagta lagti
    lagte lagega lagegi
    lagwana lagwani lagana milna milega milegi milenge milta milti milte mile mil sakta sakti sakte chahiye chahie
    chaiye chahta
    chahti chahte wala wali wale aana aa aata aati jaana jana jata jati jaye bataiye batao bataye bataiyega batana
    batayein chahenge
    dawai dawa dava dawaiyan ilaj ilaaj bimar beemar bimari bukhar dard khoon khun tika teeka janch jaanch paisa
    paise rupaye kharcha
    kharch muft pata jagah bachcha bachche bacche baccha bachchon bacchon maa pita pati patni beta beti namaste
    namaskar shukriya
    dhanyavad dhanyawad kripya krpya accha acha achha theek thik sab koi kuch kuchh doctor's pet sir-dard sar gala
    khansi saans
    samay samai bol baat kaam ghar gadi chalu shuru khatam zaroori zaruri jaruri zarurat jarurat umar
    """
)
_TABLES: Final[tuple[tuple[frozenset[str], Language, float], ...]] = (
    (_ENGLISH, "en", 1.0),
    (_BORROWED, "en", 0.6),  # an English word that the other languages use as well
    (_SPANISH, "es", _FOREIGN),
    (_HINDI, "hi", _FOREIGN),
)

# The groups of three letters that tell English from Spanish best in running text, accents left out; ^ and $ are a word's ends.
_ENGLISH_GROUPS: Final = _words(
    """
    ^th the he$ nd$ ed$ ng$ and ing st$ ly$ tio ^an ts$ nt$ th$ tha hat ted ^wi ^st ^wh ith ch$ ^wa wit at$ er$ ns$
    rs$ ^be ty$ ate was ry$ om$ ^fo wer re$ ati her ity whi ^we ll$ all ve$ ess ain me$ for fro nts ls$ ld$ le$ ic$
    ce$ oth ure ^wo ut$ ies out led ^ar rou ich rom igh wor ^sc its lly thi ear ive ds$ ine als ous eir ned use ot$
    ^sp eve cou ge$ oun nce cti sed ^fr ss$ ct$ rt$ ssi hav ass hei tho his hic ove owe ms$ two ght ny$ ugh now own
    ork lat een our oug is$ any low mbe ^on tat ary etw ^ye wn$ ^ch tin ^bu em$ ^ea din ne$ rst hou et$ ffe ^it ish
    thr ack not sse sch age yea uld gh$ ach lso oul bee app ^ph ow$ hoo had but bec
    """
)
_SPANISH_GROUPS: Final = _words(
    """
    os$ cio do$ as$ que ^qu ra$ ue$ ado na$ los ia$ mo$ dad nte da$ ^es ^de aci ada del dos ^lo el$ una las no$ to$
    ien io$ ido tos ro$ ico nos ero lo$ ida mas ca$ ta$ ara pue omo nci ale nto tad das por co$ par ar$ fue ndo mie
    uer les esa ma$ cia ano ron ios tam cci ier ria des bie ras nes aba ias one dor cos tas ran rio bre cua ros po$
    cue ^fu nad iem ura obr ici vo$ nta iza sa$ ^cu aro ana uda amb tod lme esp ^ta cad rma jo$ esc nas ari ^ll emp
    ama igu ayo otr mer sus odo asa ^pu tar mbi za$ baj ivo mbr va$ rad sar ba$ cas lla imo yor cac eno uel go$ ono
    cid ede ues ema ian cto alm la$ liz zo$ noc ecc gun uci dia lid sas mpo iud ciu
    """
)
