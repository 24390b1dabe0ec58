"""The glossary as patients would use it: questions in four languages carry what they speak of, and look-alikes do not."""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from importlib import resources

import pytest

from appliance.knowledge.glossary import Glossary
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold
from appliance.message import LANGUAGES

HOUSE = resources.files("appliance.knowledge")
FILES = [tomllib.loads((HOUSE / f"glossary{part}.toml").read_text("utf-8")) for part in ("", "_services", "_health")]
LINES: dict[str, dict[str, list[str]]] = {name: line for file in FILES for name, line in file.items()}
PATTERNS = {name: pattern(word for words in line.values() for word in words) for name, line in LINES.items()}
WORDS = [(name, language, word) for name, line in LINES.items() for language, words in line.items() for word in words]

ASKED = [
    # opening hours, holidays, days
    ("What are your hours on Saturday?", "hours saturday"),
    ("Do you close early on Christmas Eve?", "closed christmas_eve"),
    ("Will you be open if it snows tomorrow?", "hours bad_weather tomorrow"),
    ("¿A qué hora abren los sábados por la mañana?", "hours saturday morning"),
    ("¿Está cerrado el Día de Acción de Gracias?", "closed thanksgiving"),
    ("¿A quién llamo de noche, cuando están cerrados?", "call night after_hours"),
    ("你们星期天几点开门？", "hours sunday"),
    ("除夕你们关门吗？", "lunar_new_year closed"),
    ("रविवार को क्लिनिक कितने बजे खुलता है?", "sunday hours"),
    ("kya aap diwali par band rahte hain, aur shaniwar ko kitne baje khulte hain?", "diwali closed saturday hours"),
    # finding the way, getting in
    ("Which bus line stops at the clinic, and is there parking?", "bus parking"),
    ("¿Hay estacionamiento para discapacitados y rampa para silla de ruedas?", "disabled_parking ramp wheelchair"),
    ("没有车怎么去诊所？你们有接送吗？", "directions ride"),
    ("电梯在几楼？我坐轮椅。", "elevator floor wheelchair"),
    ("क्या वहां पार्किंग है और लिफ्ट भी है?", "parking elevator"),
    ("Can I bring my service dog?", "service_animal pets bring"),
    # language, reaching the clinic
    ("Do I have to pay for an interpreter? My mother speaks Cantonese.", "interpreter pay mother cantonese"),
    ("¿Tienen intérprete de lengua de señas?", "interpreter sign_language"),
    ("有没有会说普通话的医生？", "mandarin language_spoken doctor"),
    ("क्या कोई हिन्दी बोलने वाली नर्स है?", "hindi language_spoken nurse"),
    ("What is the fax number for medical records?", "fax records"),
    ("¿Me pueden mandar un recordatorio por mensaje de texto?", "reminder text_message"),
    # appointments
    ("I need to reschedule my appointment, I will be running late", "reschedule appointment late_arrival"),
    ("What happens if I miss an appointment? Is there a no-show fee?", "missed no_show_fee appointment"),
    ("Quiero cancelar mi cita del lunes y sacar una cita por video", "cancel appointment monday book telehealth"),
    ("¿Atienden sin cita? Es la primera vez que voy.", "walk_in new_patient"),
    ("我想改一下预约的时间，可以吗？", "reschedule appointment"),
    ("不用预约可以直接来看病吗？要等多久？", "walk_in wait_time"),
    ("अपॉइंटमेंट रद्द कैसे करूं?", "cancel appointment"),
    ("appointment badalna hai, kya video call ho sakti hai?", "reschedule appointment telehealth"),
    ("Can a nurse come to my house? I cannot leave my bed.", "home_visit nurse"),
    ("डॉक्टर घर पर आकर देख सकते हैं क्या?", "home_visit doctor"),
    ("¿Qué debo traer a la primera cita?", "bring new_patient"),
    ("第一次来要带什么证件？", "new_patient bring id_card"),
    # money
    ("How much is a visit without insurance? Is there a sliding fee?", "cost visit uninsured sliding_fee"),
    ("Can I set up a payment plan for my bill?", "payment_plan bill"),
    ("No tengo aseguranza. ¿Cuánto cuesta la consulta?", "uninsured cost visit"),
    ("¿Aceptan tarjeta de crédito o cheque?", "credit_card bank_check"),
    ("¿Me regresan el depósito? Quiero un reembolso y un recibo.", "deposit refund receipt"),
    ("没有保险看一次医生多少钱？", "uninsured doctor cost"),
    ("账单可以分期付款吗？可以用现金吗？", "bill payment_plan cash"),
    ("बिना बीमा के फीस कितनी है? किस्तों में दे सकते हैं?", "uninsured cost payment_plan"),
    ("mere paas insurance nahi hai, kitne paise lagenge", "uninsured cost"),
    ("Does Medicaid cover dental cleanings?", "medicaid covered dental_cleaning dental"),
    ("¿Me pueden ayudar a aplicar para Medicaid? Tengo comprobante de ingresos.", "enrollment_help proof_of_income"),
    ("保险公司拒付了，怎么上诉？", "insurance_company appeal"),
    ("Do you ask about immigration status?", "immigration_status"),
    ("¿Preguntan por el estatus migratorio?", "immigration_status"),
    ("WIC की अपॉइंटमेंट में क्या लाना है?", "wic appointment bring"),
    ("¿Cuándo abre la despensa de alimentos?", "food_pantry hours"),
    # papers, referrals, records, portal
    ("Do you fill out FMLA forms, and what do they cost?", "fmla form fill_out cost"),
    ("Necesito un justificante para el trabajo", "work_note"),
    ("我需要一张病假条给老板", "work_note employer"),
    ("मुझे नौकरी के लिए मेडिकल सर्टिफिकेट चाहिए", "work_note employer"),
    ("I got hurt at work. Do you take workers' comp?", "workers_comp"),
    ("¿Hacen el examen médico de inmigración?", "immigration_exam"),
    ("移民体检需要带护照吗？", "immigration_exam passport"),
    ("My daughter needs a sports physical before school starts", "sports_physical daughter school"),
    ("How long does a referral to a specialist take?", "referral specialist"),
    ("खून की रिपोर्ट कब मिलेगी?", "lab_results ready"),
    ("¿Cuándo están los resultados de mis análisis de sangre?", "lab_results blood_test"),
    ("怎么复印病历？要签授权表吗？", "records copy_of_records release_form"),
    ("I forgot my password for the patient portal", "password patient_portal"),
    ("पोर्टल का पासवर्ड भूल गया", "patient_portal password"),
    # medicines and vaccines
    ("How do I get a refill? I am almost out of my blood pressure pills.", "refill blood_pressure"),
    ("Se me acabó la medicina, necesito un resurtido", "ran_out medicine refill"),
    ("我的药吃完了，怎么续药？", "ran_out refill medicine"),
    ("dawai khatam ho gayi hai, refill kaise milega", "ran_out refill medicine"),
    ("दवा की दुकान कब बंद होती है?", "pharmacy closed"),
    ("Can you refill a controlled substance by phone?", "refill controlled_medicine phone"),
    ("Where can I throw away used needles?", "needle_disposal"),
    ("¿La vacuna contra la gripe es gratis?", "flu_shot vaccine free"),
    ("带状疱疹疫苗多少钱？", "shingles_vaccine vaccine cost"),
    ("बच्चों को खसरे का नहीं, खसरा और चेचक का टीका कब लगता है?", "measles chickenpox vaccine child"),
    ("我要去印度，需要打伤寒和黄热病疫苗吗？", "typhoid yellow_fever vaccine"),
    ("I lost my child's vaccine record", "vaccine_record child lost_property"),
    # laboratory and imaging
    ("Can I drink water or coffee before a fasting blood test?", "drink_water coffee fasting blood_test"),
    ("¿Tengo que venir en ayunas para el colesterol?", "fasting cholesterol"),
    ("抽血前要空腹吗？可以喝水吗？", "blood_test fasting drink_water"),
    ("खून की जांच से पहले क्या पानी पी सकते हैं या खाली पेट आना है?", "blood_test drink_water fasting"),
    ("khoon ki jaanch ke liye khali pet aana hai kya", "blood_test fasting"),
    ("¿Dónde entrego la muestra de orina?", "urine specimen drop_off"),
    ("大便样本要怎么送来？", "stool specimen drop_off"),
    ("Do you do X-rays on weekends?", "xray weekend"),
    ("超声检查前要憋尿吗？", "ultrasound full_bladder"),
    ("मैमोग्राम के लिए क्या पहनना चाहिए?", "mammogram what_to_wear"),
    ("Where do I enter the building for a chest x-ray?", "entrance xray"),
    # care
    ("When can I come to the dentist for a toothache?", "dental toothache"),
    ("洗牙要多少钱？", "dental_cleaning cost"),
    ("दांत निकलवाने की फीस क्या है?", "tooth_extraction cost"),
    ("¿Dan lentes después del examen de la vista?", "glasses eye_exam"),
    ("¿Tienen consejería para dejar de beber?", "counseling alcohol_treatment"),
    ("怀孕了什么时候第一次产检？", "prenatal"),
    ("गर्भवती महिलाओं के लिए क्लास है?", "prenatal class"),
    ("Do you take out stitches, and can you put in an IUD?", "stitches iud"),
    ("¿Cuándo es la clase de diabetes? ¿Puedo venir con mi esposo?", "class diabetes spouse"),
    ("शुगर की मशीन और टेस्ट स्ट्रिप मिलती है क्या?", "glucose_meter diabetes"),
    ("可以租拐杖或者轮椅吗？哪里买血糖仪？", "crutches wheelchair glucose_meter"),
    ("My baby has a fever and a cough. Is it urgent care?", "baby fever cough urgent_care"),
    ("mere bete ko bukhar aur khansi hai", "son fever cough"),
    ("¿Cuánto cuesta sacarse una muela y cuándo quitan los puntos?", "tooth_extraction stitches cost"),
    ("me caí en el trabajo, necesito terapia física", "workers_comp physical_therapy"),
    ("过期的药怎么处理？", "medicine_disposal"),
    ("可以换一个女医生吗？我爸爸听不见，需要手语翻译", "woman_doctor sign_language interpreter father"),
    ("दांतों का इलाज कब होता है, और चश्मा कहां बनेगा?", "dental glasses"),
    ("bp ki machine chahiye, aur sugar ki dawai bhi", "pressure_cuff diabetes medicine"),
    ("doctor se milne ka time kaise milega, bina insurance ke?", "appointment uninsured"),
    # house rules, rights, lending a hand
    ("¿Puedo traer a mis hijos a la cita? ¿Hay que usar mascarilla?", "children_along mask appointment"),
    ("I think I left my umbrella. Do you have a lost and found?", "lost_property"),
    ("我想投诉，也想知道你们的隐私政策", "complaint privacy"),
    ("शिकायत कहां करें?", "complaint"),
    ("क्या 16 साल की लड़की माता-पिता के बिना आ सकती है?", "minor parents"),
    ("A teenager wants birth control. Do we tell the parents?", "teen birth_control parents"),
    ("¿Cómo puedo ser voluntario o donar?", "volunteer donate"),
    ("你们招聘吗？还是只要义工？", "jobs volunteer"),
    # holidays, ways to an appointment
    ("Are you open the Friday after Thanksgiving?", "day_after_thanksgiving"),
    ("¿Puedo hacer mi cita por internet?", "online_booking"),
    ("可以网上预约吗？你们还收新病人吗？", "online_booking accepting_patients"),
    ("क्या आप नए मरीज ले रहे हैं?", "accepting_patients"),
    ("我妈刚出院，几天之内要来复诊？", "hospital_discharge"),
    ("¿Me mandan el enlace de la videollamada?", "video_link"),
    # money, insurance, papers
    ("Is there a surcharge for paying with an HSA card?", "surcharge health_savings"),
    ("可以用微信支付吗？有没有费用清单？", "phone_wallet itemized_bill"),
    ("¿Sirve una carta de mi patrón? Me quedé sin ingresos.", "employer_letter unemployed"),
    ("बैंक स्टेटमेंट और बिजली का बिल दोनों लाने हैं?", "bank_statement utility_bills"),
    ("Do you take Aetna or Blue Cross for a Medicare Advantage plan?", "aetna blue_cross medicare_advantage"),
    ("मेरे पास प्राइवेट बीमा है, एटना का", "private_insurance aetna"),
    ("¿Llenan los papeles de adopción?", "adoption"),
    ("portal ka verification code nahi aaya, otp kab aayega", "verification_code"),
    # people, languages, the way, the building
    ("¿Hay alguien que hable mixteco o vietnamita por teléfono?", "mixteco vietnamese"),
    ("有会说越南语或者韩语的人吗？可以电话翻译吗？", "vietnamese korean phone_interpreter"),
    ("क्या कोई पंजाबी या उर्दू बोलता है?", "punjabi urdu"),
    ("Can my sister pick it up, or my mother-in-law?", "brother_sister mother_in_law"),
    ("¿Dónde dejo la bicicleta? ¿Hay grúa?", "bicycle towed"),
    ("有没有哺乳室或者换尿布的地方？我是说喂奶的地方", "nursing_room changing_table"),
    ("नमाज के लिए कमरा है? सामान रखने के लिए लॉकर?", "prayer_room lockers"),
    ("Is there somewhere to charge my phone, or a vending machine?", "phone_charger vending_machine"),
    # groups, everyday needs
    ("¿Tienen grupo de duelo o clases de inglés?", "grief_group english_class"),
    ("有育儿课吗？发不发奶粉？", "parenting_class baby_formula"),
    ("किराया देने में मदद और कानूनी सलाह कहां मिलेगी?", "rent_assistance legal_help"),
    ("Can I complain without giving my name?", "anonymous"),
    # health as a front desk hears it
    ("How much is a vitamin D test, and do you check blood type?", "vitamin_d blood_type"),
    ("¿Hacen la circuncisión? ¿Y perforan, digo, perforar las orejas?", "circumcision ear_piercing"),
    ("散瞳以后能开车吗？镜框多少钱？", "dilating_drops frames"),
    ("मोतियाबिंद का ऑपरेशन होता है? चक्कर आते हैं", "cataract dizzy"),
    ("बच्चे के कान छिदवाने का कितना लगता है?", "ear_piercing"),
    ("¿Atienden al neurólogo o al urólogo aquí? ¿Y terapia de pareja?", "neurologist urologist couples_therapy"),
    ("我要预约肠胃科做胃镜", "gastroenterologist endoscopy"),
    ("bachche ke liye crocin milta hai? kabz ki dawai bhi", "acetaminophen constipation"),
]

LOOK_ALIKES = [
    ("¿Cuáles son sus horarios?", "son"),
    ("No debe beber nada antes", "baby"),
    ("¿Cómo llego a la costa?", "cost"),
    ("Do you repair hearing aids?", "hiv"),
    ("I have a check-up at nine and have to check in", "bank_check cash"),
    ("Cancel at least 24 hours before", "hours"),
    ("How fast do you answer?", "fasting"),
    ("Are there discounts for senior citizens?", "immigration_status"),
    ("It costs a lot", "parking"),
    ("A minor operation", "minor"),
    ("My private insurance changed", "privacy"),
    ("Where is my X-ray?", "imaging_results lab_results"),
    ("I need a drug test for my employer", "medicine"),
    ("Is it close to the station?", "closed"),
    ("Of course", "class"),
    ("What is its name?", "hiv sti_test"),
    ("Quiero dejar de fumar", "drop_off"),
    ("el año nuevo lunar", "wart_removal"),
    ("La licencia médica", "doctor"),
    ("una segunda opinión", "feedback"),
    ("lista de espera", "ready"),
    ("多伦多大学在哪", "age"),
    ("荨麻疹怎么办", "measles"),
    ("我看病历要申请吗", "visit"),
    ("国家人口增长", "relative"),
    ("病毒检测", "drug_test"),
    ("做出诊断", "home_visit"),
    ("哺乳动物", "breastfeeding"),
    ("坐落在市中心", "lost_property"),
    ("定位相关节目", "bones_joints"),
    ("保险公司电话", "employer"),
    ("第二意见", "feedback complaint"),
    ("抗凝药物检测", "drug_test"),
    ("रिपोर्ट का पता कैसे चलेगा?", "address"),
    ("चाय में चीनी", "mandarin lunar_new_year"),
    ("अस्पताल में भर्ती", "jobs"),
    ("वृद्धि", "senior"),
    ("बीमा कंपनी", "employer"),
    ("पहचान पत्र लाएं", "doctor_letter"),
    ("a pair of shoes", "foot"),
    ("a beta blocker", "son"),
    ("my pet has fleas", "stomach"),
    ("the band plays on Sunday", "closed"),
    ("Is the pharmacist in?", "pharmacy"),
    ("Sign up for the sign language class", "sign"),
    ("Can I charge my phone here? How much notice do you need?", "cost"),
    ("I touched poison ivy", "poison_control"),
    ("physical therapy", "physical_exam"),
    ("药可以寄到家里吗", "home_visit"),
    ("各院区的停车时间", "hours"),
    ("Form 12 is for the power of attorney", "baby_formula lawyer"),
    ("How do I apply online?", "mobile_app online_booking"),
    ("What is the time frame for a refund?", "frames"),
    ("Do you take Visa? Please put it on my card", "automatic_payment"),
    ("Is the lab on Corner Street? I will call on Monday", "on_call"),
    ("I want to talk to the head of the clinic before I start", "head_start"),
    ("The phone is in my bag", "phone_charger lockers"),
    ("They tripled the price", "twins"),
    ("Can you release my records?", "lease"),
    ("Me duele la muela", "grief_group"),
    ("¿Qué salida tomo? Me armo de paciencia", "weapons"),
    ("el recibo de pago", "utility_bills"),
    ("Alcohólicos Anónimos se reúne el lunes", "anonymous"),
    ("la naturaleza humana", "citizenship_class"),
    ("una persona mayor", "farsi"),
    ("Está enlazado con el seguro", "video_link"),
    ("海岸警卫队的体检", "security_guard"),
    ("血糖监控", "security_camera"),
    ("下个月的时间", "frames period_products"),
    ("办公公告", "mother_in_law"),
    ("实习学生", "university_student internship"),
    ("这个病会传染吗", "bicycle"),
    ("टाइम फ्रेम क्या है?", "frames"),
    ("बच्चे का लिंग", "video_link"),
    ("पित्त की पथरी", "kidney_stone"),
    ("सांस फूलती है", "mother_in_law"),
    ("कर्जदार नहीं हूं", "medical_debt"),
]

SHARED = {
    "दोपहर": "afternoon noon",
    "dopahar": "afternoon noon",
    "noche": "evening night",
    "noches": "evening night",
    "晚上": "evening night",
    "hours before": "ahead hours_long",
    "hijo": "child son",
    "hija": "child daughter",
    "नाम लिखवा": "book register",
    "नौकरी": "employer jobs",
    "naukri": "employer jobs",
    "化验报告": "lab_results results",
    "शुगर": "diabetes glucose",
    "नशामुक्ति": "alcohol_treatment drug_treatment",
    "नशा मुक्ति": "alcohol_treatment drug_treatment",
    "急诊": "emergency hospital",
}
"""The words that one language has for two things: each is carried as both."""


def test_it_loads_with_hundreds_of_concepts() -> None:
    Glossary.load()
    assert len(LINES) >= 600
    assert len(LINES) == sum(map(len, FILES))  # none stands in two files
    assert {file.name for file in HOUSE.iterdir() if re.fullmatch(r"glossary.*\.toml", file.name)} == {
        "glossary.toml",
        "glossary_health.toml",
        "glossary_services.toml",
    }


def test_a_question_is_carried_into_the_other_languages() -> None:
    carried = Glossary.load().carried("क्या खाली पेट आना है? पानी पी सकते हैं?", "hi")
    assert {"fasting", "water", "agua", "空腹"} <= set(carried.words.split())
    assert carried.share_in(fold("You may drink water while fasting.")) == 1.0
    assert carried.share_in(fold("Parking is free.")) == 0.0


def test_every_concept_speaks_four_languages() -> None:
    assert [name for name, line in LINES.items() if list(line) != list(LANGUAGES) or not all(line.values())] == []


def test_no_two_concepts_share_a_word_unless_declared() -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for name, _, word in WORDS:
        owners[fold(word).rstrip("*").strip()].add(name)
    shared = {word: " ".join(sorted(names)) for word, names in owners.items() if len(names) > 1}
    assert shared == {fold(word): names for word, names in SHARED.items()}


def test_no_function_word_speaks_of_anything() -> None:
    lines = (HOUSE / "function_words.txt").read_text("utf-8").splitlines()
    words = {fold(word) for line in lines for word in line.partition("#")[0].split()}
    assert len(words) > 200
    assert [(name, word) for name, found in PATTERNS.items() for word in words if found.search(word)] == []


def test_no_word_is_written_twice_in_one_language_of_a_concept() -> None:
    written = Counter((name, language, fold(word)) for name, language, word in WORDS)
    assert [one for one, count in written.items() if count > 1] == []


def test_no_concept_is_found_in_nothing() -> None:
    assert [name for name, words in PATTERNS.items() if words.search("") or words.search(" . ")] == []


def test_every_word_is_found_where_it_stands() -> None:
    plain = [(name, word, fold(word).replace("*", "").replace("..", " ")) for name, _, word in WORDS]
    assert [(name, word) for name, word, said in plain if not PATTERNS[name].search(said)] == []


def test_any_ending_stands_at_the_end_of_a_word() -> None:
    assert [(name, word) for name, _, word in WORDS if re.search(r"\*(?!$|\s*\.\.)", word)] == []


def test_chinese_words_are_longer_than_one_character() -> None:
    chinese = [(name, word) for name, language, word in WORDS if language == "zh"]
    assert [(name, word) for name, word in chinese if len(re.sub(r"[ .]", "", word)) < 2 or "*" in word] == []


def test_a_sentence_of_function_words_speaks_of_nothing() -> None:
    """A concept that any sentence speaks of tells nothing."""
    sentences = (
        "this is what you have to do and it is for all of us, so come as you are and they will be there with him",
        "eso es lo que hay que hacer y son para todos, pero no se sabe si es de él o de ella, porque así fue como está",
        "yeh hai jo aap ko karna hai aur woh sab ke liye hai, to mujhe batao ki kya hua aur kahan se aaya",
        "这是我们要做的事，他们也是这样说的，但是不知道可不可以，如果有就好了",
        "यह वही है जो हमें करना है और वह सबके लिए है, तो मुझे बताओ कि क्या हुआ और कौन कहां से आया",
    )
    spoken = [name for name, words in PATTERNS.items() for one in sentences if words.search(fold(one))]
    assert spoken == []


@pytest.mark.parametrize(("question", "concepts"), ASKED)
def test_a_question_carries_what_it_speaks_of(question: str, concepts: str) -> None:
    folded = fold(question)
    assert [name for name in concepts.split() if not PATTERNS[name].search(folded)] == []


@pytest.mark.parametrize(("text", "concepts"), LOOK_ALIKES)
def test_a_look_alike_does_not(text: str, concepts: str) -> None:
    folded = fold(text)
    found = [name for name in concepts.split() if PATTERNS[name].search(folded)]
    assert found == []


def test_look_alikes_and_questions_name_concepts_that_exist() -> None:
    named = {name for _, concepts in (*ASKED, *LOOK_ALIKES) for name in concepts.split()}
    assert named <= PATTERNS.keys()
