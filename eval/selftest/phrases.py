"""Words and patterns in several languages, from which made-up questions and answers are put."""

# ruff: noqa: RUF001 -- letters of other scripts are meant

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, kw_only=True)
class Language:
    """What is said in one language; pieces are parted by ``|``."""

    who: str
    what: str
    where: str
    tell: str
    """Sentences with {who}, {what}, {where} and {number}."""
    ask: str
    """Questions whose answer they are."""
    gap: str = " "
    """What stands between two sentences."""

    def fact(self, rng: Random) -> dict[str, str]:
        """Return who, what, where and a number."""
        names = ("who", "what", "where")
        chosen = {name: rng.choice(getattr(self, name).split("|")) for name in names}
        return {**chosen, "number": str(rng.randint(2, 980))}

    def sentence(self, rng: Random, fact: dict[str, str]) -> str:
        """Return one of the sentences that say the fact."""
        return rng.choice(self.tell.split("|")).format(**fact)

    def question(self, rng: Random, fact: dict[str, str]) -> str:
        """Return a question about the fact."""
        return rng.choice(self.ask.split("|")).format(**fact)


LANGUAGES: dict[str, Language] = {
    "English": Language(
        who="Amara|Bruno|Chidi|Daria|Elena|Farid|Greta|Hugo|Ines|Jonas|Kemal|Lucia|Marta|Nadia|"
        "Omar|Paula|Quentin|Rosa|Samir|Teresa|Ulla|Viktor|Wanda|Xenia|Yusuf|Zoe",
        what="amber beads|brass lamps|cedar chests|clay jars|copper kettles|felt hats|glass bowls|"
        "ink stones|ivory combs|jade rings|linen shirts|marble tiles|oak barrels|paper kites|"
        "pewter mugs|silk scarves|silver spoons|stone mills|velvet coats|wax candles|wicker chairs",
        where="Aalborg|Bergen|Cadiz|Dresden|Esbjerg|Ferrara|Galway|Haarlem|Innsbruck|Jaén|Kotor|"
        "Lisbon|Malaga|Nantes|Oslo|Porto|Rostock|Salzburg|Tartu|Uppsala|Vilnius|Zagreb",
        tell="{who} sold {number} {what} at the market of {where} that year.|"
        "In {where} it was {who} who bought {number} {what} from the old workshop.|"
        "The {what} are from {where}, and {who} has kept {number} of them for the museum.|"
        "There were {number} {what} in the house of {who}, which is not far from {where}.",
        ask="What is known of {who} and the {what} of {where}?|"
        "How did {who} come by the {what} in {where}?|"
        "Tell me about the {what} that {who} had in {where}.",
    ),
    "German": Language(
        who="Anna|Bernd|Clara|Dieter|Emil|Frieda|Gustav|Helga|Irene|Jakob|Karla|Ludwig|Marlene",
        what="Bücher|Töpfe|Äpfel|Stühle|Lampen|Körbe|Hüte|Krüge|Mäntel|Gläser|Löffel|Kerzen",
        where="Aachen|Bremen|Celle|Döbeln|Erfurt|Fürth|Görlitz|Husum|Jena|Köln|Lübeck|Münster",
        tell="{who} hat auf dem Markt von {where} {number} {what} verkauft, und das ist viel.|"
        "Die {what} sind aus {where}, und {who} hat {number} davon für das Museum behalten.|"
        "In {where} wurden {number} {what} mit der Bahn gebracht, die {who} nicht bezahlt hat.",
        ask="Was ist über {who} und die {what} aus {where} bekannt?|"
        "Wie kam {who} in {where} an die {what}?",
    ),
    "French": Language(
        who="Adèle|Benoît|Céline|Didier|Élise|Fabien|Gaëlle|Hervé|Inès|Jérôme|Léa|Maël|Noémie",
        what="chapeaux|tapis|verres|livres|paniers|manteaux|couteaux|flûtes|bijoux|cadres|vélos",
        where="Angers|Béziers|Caen|Dijon|Évreux|Foix|Gap|Honfleur|Limoges|Mâcon|Nîmes|Orléans",
        tell="{who} a vendu {number} {what} dans le marché de {where}, et ce n'est pas rien.|"
        "Les {what} sont de {where}, et {who} en garde {number} pour le musée de la ville.|"
        "Dans la maison de {who}, près de {where}, il y avait {number} {what} avec des rubans.",
        ask="Que sait-on de {who} et des {what} de {where} ?|Parlez des {what} que {who} avait.",
    ),
    "Spanish": Language(
        who="Adriana|Beltrán|Camila|Diego|Estela|Félix|Gabriela|Hernán|Inés|Julián|Lucía|Martín",
        what="sillas|lámparas|botellas|cestas|flautas|mantas|naranjas|vasijas|relojes|sombreros",
        where="Ávila|Burgos|Cádiz|Denia|Écija|Gijón|Huelva|Jaca|León|Mérida|Oviedo|Ronda|Soria",
        tell="{who} vendió {number} {what} en el mercado de {where} y no fue por poco dinero.|"
        "Las {what} son de {where}, y {who} tiene {number} para el museo del pueblo.|"
        "En la casa de {who}, que está cerca de {where}, había {number} {what} del abuelo.",
        ask="¿Qué se sabe de {who} y las {what} de {where}?|Habla de las {what} de {who}.",
    ),
    "Russian": Language(
        who="Анна|Борис|Вера|Глеб|Дарья|Егор|Жанна|Иван|Ксения|Лев|Марина|Никита|Ольга|Павел",
        what="книг|ламп|шляп|корзин|ложек|картин|часов|стульев|тканей|чашек|колец|свечей",
        where="Архангельске|Брянске|Вологде|Казани|Москве|Омске|Пскове|Самаре|Твери|Уфе|Чите",
        tell="{who} продаёт {number} {what} на рынке в {where}, и это совсем не мало.|"
        "Для музея в {where} {who} хранит {number} {what} из старого дома.|"
        "Говорят, что {number} {what} было у семьи, и что {who} жила тогда в {where}.",
        ask="Что известно о {number} {what}, которые {who} видела в {where}?|"
        "Расскажите, что {who} делает в {where}.",
    ),
    "Chinese": Language(
        who="王芳|李强|张敏|刘洋|陈静|杨磊|赵丽|黄勇|周涛|吴霞|徐明|孙杰|马兰|朱红|胡军",
        what="瓷碗|铜镜|丝巾|竹篮|木椅|纸伞|茶壶|玉环|毛笔|石磨|灯笼|银勺|布鞋|琴弦",
        where="北京|上海|广州|成都|西安|杭州|南京|武汉|苏州|重庆|青岛|大连|昆明|福州",
        tell="{who}在{where}的市场上卖出了{number}件{what}，这在当年并不算少。|"
        "这些{what}来自{where}，{who}为博物馆保存了其中的{number}件。|"
        "在{where}的老房子里，{who}一家曾经收藏过{number}件{what}。",
        ask="关于{who}和{where}的{what}，人们知道些什么？|请介绍一下{who}在{where}收藏的{what}。",
        gap="",
    ),
    "Japanese": Language(
        who="田中さん|鈴木さん|佐藤さん|高橋さん|伊藤さん|渡辺さん|山本さん|中村さん|小林さん",
        what="茶碗|提灯|扇子|硯|風鈴|着物|木箱|人形|花瓶|和紙|下駄|刀|琴|太鼓",
        where="京都|大阪|札幌|仙台|金沢|広島|福岡|長崎|奈良|神戸|松山|高知",
        tell="{who}は{where}の市場で{what}を{number}個も売りました。|"
        "この{what}は{where}のもので、{who}が博物館のために{number}個を残しています。|"
        "{where}の古い家には、{who}の家族が集めた{what}が{number}個ありました。",
        ask="{who}と{where}の{what}について、何が知られていますか。|"
        "{where}で{who}が集めた{what}について教えてください。",
        gap="",
    ),
    "Hindi": Language(
        who="अनिल|भारती|चेतन|दीपा|गीता|हरि|इंदु|जया|कमल|लता|मोहन|नीना|ओम|प्रीति|राजन",
        what="दीपक|कंबल|घड़े|टोकरियाँ|चूड़ियाँ|किताबें|कुर्सियाँ|चम्मच|मोमबत्तियाँ|पतंगें|शीशे",
        where="आगरा|भोपाल|चेन्नई|दिल्ली|गोवा|हैदराबाद|इंदौर|जयपुर|कोलकाता|लखनऊ|मुंबई|पटना",
        tell="{who} ने {where} के बाज़ार में {number} {what} बेचे और यह कम नहीं था।|"
        "ये {what} {where} से हैं, और {who} ने संग्रहालय के लिए {number} रखे हैं।|"
        "{where} के पुराने घर में {who} के परिवार के पास {number} {what} थे।",
        ask="{who} और {where} के {what} के बारे में क्या मालूम है?|{where} में {who} के {what} के बारे में बताइए।",
    ),
}
