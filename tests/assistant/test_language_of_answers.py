"""The answer comes in the asker's language, or in the one that the patient chose, until another is chosen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import pytest_asyncio

from appliance.app import Qualified
from appliance.assistant.language import Wishes
from appliance.message import LANGUAGES, Language, now
from models.scripted import ScriptedChat
from models.store import Store, Verdict
from tests.say import CHANNELS, Appliance, Channel, appliance

HOURS = "# Hours\n\n## Pharmacy\n\nThe pharmacy is open Monday to Friday from 8:30 to 17:00.\n"
QUESTIONS: dict[Language, str] = {
    "en": "When is the pharmacy open?",
    "es": "¿A qué hora abre la farmacia?",
    "zh": "药房几点开门？",
    "hi": "फार्मेसी कब खुलती है?",
}
WISHES: dict[Language, list[str]] = {
    "en": [
        "Please answer in English",
        "English, please.",
        "Could you reply in English from now on?",
        "switch to English",
        "responde en inglés",
        "¿Me lo puede decir en inglés, por favor?",
        "请用英语回答",
        "能用英文吗？",
        "अंग्रेज़ी में बताइए",
        "मुझे अंग्रेज़ी में जवाब चाहिए",
        "English mein jawab do",
    ],
    "es": [
        "Please answer in Spanish.",
        "habla español",
        "Responda en español por favor",
        "请说西班牙语",
        "spanish please",
        "Hola, en español por favor",
    ],
    "zh": ["请用中文", "请用中文回答", "Please answer me in Chinese", "用普通话回答", "responde en chino"],
    "hi": ["हिंदी में बताइए", "Hindi mein bataiye", "answer in Hindi", "हिन्दी में जवाब दीजिए", "请用印地语回答"],
}
NO_WISHES = [
    "Do you speak Spanish?",
    "Is there a nurse who speaks Hindi?",
    "Can I talk to a doctor in Chinese?",
    "I need an interpreter in Chinese please",
    "Do you have the form in Spanish?",
    "¿Hay alguien que hable español?",
    "¿Tienen intérprete de chino?",
    "¿El formulario está en español?",
    "有会说中文的医生吗？",
    "表格有中文的吗？",
    "क्या डॉक्टर हिंदी में बात करते हैं?",
    "क्या फॉर्म हिंदी में है?",
    "koi Hindi bolne wala doctor hai?",
    "My English is not good, when are you open?",
    "Please don't answer in Spanish",
    "No me responda en inglés",
    "不要用英文回答",
    "अंग्रेज़ी में जवाब मत दीजिए",
    "Will the doctor answer in Spanish?",
    "Will someone answer in Chinese if I call?",
    "¿El doctor me puede explicar en español?",
    "护士能用中文跟我说吗",
    "koi Hindi mein samjhao sakta hai?",
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Appliance]:
    data = tmp_path_factory.mktemp("spoken")
    (data / "documents").mkdir()
    (data / "documents" / "hours.md").write_text(HOURS)
    async with appliance(data, documents=[data / "documents"]) as opened:
        yield opened


@pytest.mark.parametrize(("language", "text"), [(code, text) for code, texts in WISHES.items() for text in texts])
def test_a_wish_for_a_language_is_heard(language: Language, text: str) -> None:
    wish = Wishes.load().wish(text)
    assert wish and (wish.language, wish.rest) == (language, "")


@pytest.mark.parametrize(
    ("text", "language", "rest"),
    [
        ("please answer in Spanish when is the pharmacy open", "es", "when is the pharmacy open"),
        ("Respond in Chinese, please: when are you open?", "zh", "when are you open?"),
        ("¿Cuándo abren? Respóndame en inglés por favor.", "en", "¿Cuándo abren?"),
        ("药房几点开门，请用英文回答", "en", "药房几点开门"),
        ("फार्मेसी कब खुलती है हिंदी में बताइए", "hi", "फार्मेसी कब खुलती है"),
    ],
)
def test_what_is_asked_beside_a_wish_is_kept(text: str, language: Language, rest: str) -> None:
    wish = Wishes.load().wish(text)
    assert wish and wish.language == language and rest in wish.rest


@pytest.mark.parametrize("text", NO_WISHES)
def test_a_question_about_a_language_is_no_wish(text: str) -> None:
    assert Wishes.load().wish(text) is None


@pytest.mark.parametrize("language", LANGUAGES)
async def test_without_a_choice_the_language_changes_with_the_question(house: Appliance, language: Language) -> None:
    async with house.conversing("terminal") as patient:
        for other in (language, *LANGUAGES):
            assert (await patient.say(QUESTIONS[other])).language == other


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("language", get_args(Language))
async def test_a_language_asked_for_stays_until_another_is(
    house: Appliance, language: Language, channel: Channel
) -> None:
    async with house.conversing(channel) as patient:
        agreed = await patient.say(WISHES[language][0])
        assert (agreed.kind, agreed.language) == ("greeting", language)
        assert agreed.text == house.clinic.phrases.say("language_chosen", language)
        for question in QUESTIONS.values():
            assert (await patient.say(question)).language == language
        other: Language = "es" if language != "es" else "hi"
        assert (await patient.say(WISHES[other][1])).language == other
        assert (await patient.say(QUESTIONS[language])).language == other


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_question_that_comes_with_the_wish_is_answered_at_once(house: Appliance, language: Language) -> None:
    said = await house.say(f"{QUESTIONS['en']} {WISHES[language][0]}.")
    assert (said.kind, said.language) == ("quoted", language)
    assert "8:30" in said.text and [one.quote for one in said.citations]
    assert any(one.code == "source_language" for one in said.notices) == (language != "en")


@pytest.mark.parametrize("channel", ["socket", "stream"])
async def test_the_language_chosen_on_the_page_is_kept_whatever_is_typed(house: Appliance, channel: Channel) -> None:
    async with house.conversing(channel) as patient:
        assert (await patient.say(QUESTIONS["en"], language="hi")).language == "hi"
        await house.conversations.set_language(patient.id, "zh")  # what the page's menu does
        assert (await patient.say(QUESTIONS["es"])).language == "zh"
        assert (await patient.say(QUESTIONS["es"], language="hi")).language == "zh"


async def test_a_chosen_language_outlives_the_process_and_an_unchosen_one_is_not_one(house: Appliance) -> None:
    conversation, _ = await house.conversations.create("web", "es")
    assert await house.conversations.chosen_language(conversation) is None
    await house.conversations.set_language(conversation, "zh")
    assert await house.conversations.chosen_language(conversation) == "zh"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_emergency_is_answered_in_its_own_words_language(house: Appliance, language: Language) -> None:
    cries: dict[Language, str] = {
        "en": "My chest hurts badly and I can't breathe",
        "es": "Me duele mucho el pecho y no puedo respirar",
        "zh": "我胸口剧痛，喘不过气来",
        "hi": "मेरे सीने में बहुत तेज़ दर्द है और साँस नहीं आ रही",
    }
    async with house.conversing("terminal") as patient:
        await patient.say(WISHES["en" if language != "en" else "zh"][0])
        said = await patient.say(cries[language])
    assert (said.kind, said.language) == ("emergency", language)


async def test_a_follow_up_in_one_language_is_understood_when_another_was_chosen(house: Appliance) -> None:
    async with house.conversing("terminal") as patient:
        await patient.say("请用中文")
        await patient.say(QUESTIONS["en"])
        said = await patient.say("and on Friday?")
    assert said.language == "zh" and any(one.code == "understood_as" for one in said.notices)


@pytest.mark.parametrize("allowed", LANGUAGES)
def test_a_model_that_has_passed_writes_only_where_the_clinic_wants_it(tmp_path: Path, allowed: Language) -> None:
    chat, store = ScriptedChat(), Store(tmp_path)
    store.save_verdict(
        Verdict(sha256=chat.sha256, passed=True, languages=LANGUAGES, figures={}, at=now(), bar="all of it")
    )
    speaker = Qualified(store, chat, [allowed])
    assert [code for code in LANGUAGES if speaker.qualified(code)] == [allowed]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_where_documents_may_not_answer_a_person_is_named(house: Appliance, language: Language) -> None:
    others = tuple(code for code in LANGUAGES if code != language)
    wanted = msgspec.structs.replace(house.clinic.config.assistant, quote_in=others)
    config = msgspec.structs.replace(house.clinic.config, assistant=wanted)
    clinic = msgspec.structs.replace(house.clinic, config=config)
    before, house.assistant = house.assistant, clinic.assistant_with(clinic.qualified)
    try:
        assert (await house.say(QUESTIONS[language])).kind == "contact"
        assert (await house.say(QUESTIONS[others[0]])).kind == "quoted"
    finally:
        house.assistant = before
