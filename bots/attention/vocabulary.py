"""The words of people who tell a bot about its manners, in English, German, Spanish, French and Chinese. Pure."""

import re
import unicodedata

from bots.attention.manners import DAY_S, HOUR_S
from bridge.model.text import folded

Words = tuple[str, ...]
_WORD = re.compile(r"\d+|[\u3400-\u9fff]|[^\W\d_\u3400-\u9fff]+")
"""A number, a Chinese character, or a word."""


def said_words(text: str) -> Words:
    """The words of `text`, with neither case nor accents: "Cállate, por favor!" is `callate por favor`."""
    bare = "".join(each for each in unicodedata.normalize("NFD", folded(text)) if not unicodedata.combining(each))
    return tuple(_WORD.findall(bare))


def _phrases(lines: str) -> frozenset[Words]:
    return frozenset(said_words(phrase) for line in lines.strip().splitlines() for phrase in line.split("|"))


LEAVE = _phrases("""
thanks|thank you|thank u|thx|ty|tyvm|tysm|cheers|many thanks|thanks for your help|thank you for your help
thanks for the help
bye|bye bye|goodbye|good bye|see you|see ya|cya|good night|no thanks|no thank you|never mind|nevermind|go away
that's all|thats all|that is all|that was all|that'll be all|that will be all|we're done|we are done|i'm done
that's it|stop it|please stop|enough|that's enough
danke|vielen dank|danke schön|dankeschön|danke sehr|besten dank|tausend dank|danke für die hilfe
danke für deine hilfe|nein danke
tschüss|tschüs|auf wiedersehen|bis später|bis dann|bis bald|gute nacht|das war's|das wars|das war alles
das ist alles|das wäre alles|geh weg|hör auf|das reicht
gracias|muchas gracias|mil gracias|muchísimas gracias|gracias por tu ayuda|gracias por la ayuda|no gracias
adiós|hasta luego|hasta pronto|hasta mañana|chao|chau|buenas noches|eso es todo|es todo|nada más|vete|basta|ya basta
merci|merci beaucoup|merci bien|mille mercis|merci pour ton aide|merci pour l'aide|non merci
au revoir|à bientôt|à plus tard|à plus|bonne nuit|c'est tout|ce sera tout|va-t'en|arrête|ça suffit
谢谢|谢谢你|谢谢您|谢谢了|多谢|感谢|非常感谢|感谢你|谢谢你的帮助|謝謝|謝謝你|多謝|感謝|不用了|不用了谢谢
再见|再見|拜拜|拜|晚安|就这样|就這樣|没事了|沒事了|就这些|走开|走開|够了|夠了
""")
HUSH = _phrases("""
quiet|be quiet|keep quiet|stay quiet|go quiet|be silent|stay silent|silence|hush|shush|shh|shut up|shut it
stop talking|don't talk|dont talk|do not talk|don't speak
ruhe|sei ruhig|sei still|sei leise|bleib still|schweig|schweige|halt die klappe|halt den mund|halt den rand
klappe|hör auf zu reden|nicht reden
silencio|guarda silencio|haz silencio|cállate|calla|callate la boca|cierra el pico|cierra la boca|deja de hablar
no hables
tais-toi|taisez-vous|silence|garde le silence|chut|la ferme|ferme-la|arrête de parler|ne parle pas|ne parle plus
安静|安静点|安静一下|安静一点|保持安静|闭嘴|别说话|别说了|别吵|不要说话|不要说了|安靜|安靜點|安靜一下|閉嘴|別說話|別說了|別吵|不要說話
""")
WAKE = _phrases("""
wake up|awake|wake|speak|speak up|speak again|talk|talk again|you can speak|you may speak|you can talk
you may talk|you can speak again|you may speak again|you can talk again|you may talk again|unmute|come back
wach auf|aufwachen|aufgewacht|sprich|sprich wieder|rede|rede wieder|du darfst wieder reden
du darfst wieder sprechen|du kannst wieder reden|du kannst wieder sprechen|komm zurück
despierta|despiértate|habla|habla otra vez|puedes hablar|ya puedes hablar|vuelve
réveille-toi|parle|parle encore|tu peux parler|tu peux reparler|tu peux parler à nouveau|reviens
醒醒|醒来|醒來|起来|说话|說話|说吧|说话吧|可以说话了|你可以说话了|可以說話了|你可以說話了|回来
""")
AROUND = _phrases("""
please|pls|plz|ok|okay|k|now|well|hey|oh|ah|then|so much|very much|a lot|again|and|guys|everybody|everyone
for now|for a while|a bit|a little|dear|great|perfect|cool|just
bitte|jetzt|mal|und|doch|so|okay gut|gut|super|na|ein bisschen|eine weile|für eine weile|endlich|nochmal
por favor|ahora|y|vale|bien|un rato|por un rato|de nuevo|porfa|perfecto|ya
s'il te plaît|s'il vous plaît|stp|svp|maintenant|et|d'accord|bon|un moment|pour un moment|un peu|parfait|alors
encore
请|請|现在|現在|吧|了|啊|好|好的|一会儿|一會兒|一下|您
""")
FOR = _phrases(
    "for|the next|next|about|at least|für|die nächsten|die nächste|lang|lange|por|durante|pendant|pour|持续|接下来"
)
NUMBERS = {
    word: number
    for number, line in {
        0.5: "half a|half an|a half|half|eine halbe|halbe|media|une demi|demi|半",
        1: "a|an|one|eine|ein|einen|un|una|une|一",
        2: "two|a couple of|couple of|zwei|dos|deux|两|兩|二",
        3: "three|drei|tres|trois|三",
        4: "four|vier|cuatro|quatre|四",
        5: "five|fünf|cinco|cinq|五",
        6: "six|sechs|seis|六",
        8: "eight|acht|ocho|huit|八",
        10: "ten|zehn|diez|dix|十",
        12: "twelve|zwölf|doce|douze|十二",
        15: "fifteen|fünfzehn|quince|quinze|十五",
        20: "twenty|zwanzig|veinte|vingt|二十",
        30: "thirty|dreißig|treinta|trente|三十",
    }.items()
    for word in _phrases(line)
}
COUNTERS = _phrases("个|個")
"""Stand between a number and a unit in Chinese."""
UNITS = {
    word: seconds
    for seconds, line in {
        1.0: "s|sec|secs|second|seconds|sekunde|sekunden|segundo|segundos|seconde|secondes|秒|秒钟|秒鐘",
        60.0: "m|min|mins|minute|minutes|minuten|minuto|minutos|分|分钟|分鐘",
        HOUR_S: "h|hr|hrs|hour|hours|std|stunde|stunden|hora|horas|heure|heures|小时|小時|钟头|鐘頭",
        DAY_S: "d|day|days|tag|tage|día|días|jour|jours|journée|天|日",
    }.items()
    for word in _phrases(line)
}
