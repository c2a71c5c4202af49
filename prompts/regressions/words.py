"""The word lists from which items of the regression set are made."""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return text.split()


NAMES = _words(
    "Alice Brian Clara David Emma Frank Grace Henry Irene Jack Karen Louis Maria Nathan Olivia "
    "Peter Ruth Simon Tina Walter"
)
CITIES = _words("Leeds Bristol Boston Denver Dallas Perth Cardiff Toledo Geneva Naples Lyon Kyoto")
JOBS = _words("baker nurse teacher farmer painter driver lawyer tailor pilot gardener plumber cook")
ANIMALS = _words("sheep goats hens ducks rabbits horses cows bees")
GOODS = _words("bread cheese honey butter rice salt tea coffee pepper flour milk fish")
TOPICS = [
    "the summer holidays", "the new school", "a lost umbrella", "long walks", "the old bridge",
    "fresh bread", "quiet mornings", "a late train", "the garden party", "warm soup",
    "the football match", "good books", "the broken window", "early mornings", "cold water",
    "the choir", "a birthday cake", "the village fair", "green apples", "rainy days",
]  # fmt: skip
LISTS = {
    "colours": _words("red blue green yellow white black purple orange"),
    "fruits": _words("apple pear plum cherry grape lemon peach melon"),
    "animals": _words("horse sheep goat rabbit fox wolf bear deer"),
    "tools": _words("hammer saw chisel drill file wrench ladder spade"),
    "countries": _words("France Spain Japan Peru Kenya Norway India Canada"),
    "vegetables": _words("carrot potato onion cabbage spinach leek tomato pumpkin"),
    "instruments": _words("violin piano flute drum guitar trumpet harp cello"),
    "sports": _words("football tennis swimming rowing boxing golf skiing cycling"),
    "flowers": _words("rose tulip daisy lily violet orchid poppy iris"),
    "drinks": _words("water tea coffee milk juice lemonade cocoa cider"),
    "trees": _words("oak beech birch pine maple willow elm ash"),
    "birds": _words("robin eagle owl sparrow crow swan duck stork"),
    "planets": _words("Mars Venus Saturn Jupiter Neptune Uranus Mercury Earth"),
    "metals": _words("iron copper gold silver tin zinc lead nickel"),
    "furniture pieces": _words("table chair bed sofa desk shelf bench wardrobe"),
    "clothes": _words("shirt coat hat scarf glove sock skirt jacket"),
    "seasons": _words("spring summer autumn winter"),
    "rivers": _words("Nile Thames Danube Rhine Amazon Volga Ganges Seine"),
    "spices": _words("pepper cinnamon ginger nutmeg saffron cumin clove paprika"),
    "insects": _words("ant bee wasp fly beetle moth cricket mosquito"),
}
MISSPELT = {
    "recieve": "receive", "tommorow": "tomorrow", "becuase": "because", "freind": "friend",
    "beleive": "believe", "seperate": "separate", "definately": "definitely",
    "neccessary": "necessary", "goverment": "government", "enviroment": "environment",
    "libary": "library", "febuary": "february", "wich": "which", "thier": "their",
    "untill": "until", "adress": "address", "begining": "beginning", "calender": "calendar",
    "occured": "occurred", "suprise": "surprise", "wierd": "weird", "knowlege": "knowledge",
    "buisness": "business", "accross": "across", "probaly": "probably", "intresting": "interesting",
    "diffrent": "different", "familar": "familiar", "foriegn": "foreign", "garantee": "guarantee",
    "imediately": "immediately", "langauge": "language", "minuts": "minutes",
    "ocasion": "occasion", "peice": "piece", "realy": "really", "rember": "remember",
    "sucessful": "successful", "temperture": "temperature", "truely": "truly", "usefull": "useful",
    "writting": "writing", "yesturday": "yesterday", "acheive": "achieve", "arguement": "argument",
    "chocolat": "chocolate", "excelent": "excellent", "hapened": "happened", "histery": "history",
    "lisence": "license", "mountian": "mountain", "questin": "question", "restarant": "restaurant",
    "scool": "school", "strenght": "strength", "studing": "studying", "tounge": "tongue",
    "wensday": "wednesday", "wether": "weather", "winther": "winter",
}  # fmt: skip
PLURALS = {
    "child": "children", "mouse": "mice", "foot": "feet", "tooth": "teeth", "man": "men",
    "woman": "women", "goose": "geese", "knife": "knives", "leaf": "leaves", "wolf": "wolves",
    "city": "cities", "baby": "babies", "box": "boxes", "bus": "buses", "potato": "potatoes",
    "tomato": "tomatoes", "life": "lives", "wife": "wives", "story": "stories", "fox": "foxes",
    "church": "churches", "dish": "dishes", "ox": "oxen", "half": "halves", "party": "parties",
    "country": "countries", "thief": "thieves", "shelf": "shelves", "glass": "glasses",
    "lady": "ladies", "hero": "heroes", "loaf": "loaves", "watch": "watches", "berry": "berries",
}  # fmt: skip
