"""The values questions speak of: the demo shop's own, many others, and made-up names the model must copy."""

from __future__ import annotations

import random
from functools import cache

from biai_xinf import demo

CITIES_ELSEWHERE = """
Amsterdam|Athens|Atlanta|Auckland|Baltimore|Bangkok|Basel|Beijing|Belgrade|Bergen|Bilbao|Birmingham|Bologna|Bordeaux|Boston
Bratislava|Bremen|Brisbane|Bristol|Brussels|Bucharest|Budapest|Buenos Aires|Bydgoszcz|Cairo|Calgary|Cape Town|Chicago|Cologne
Copenhagen|Dallas|Denver|Dresden|Dubai|Dublin|Edinburgh|Florence|Frankfurt|Gdynia|Geneva|Genoa|Ghent|Glasgow|Gothenburg
Granada|Graz|Hanoi|Helsinki|Houston|Istanbul|Johannesburg|Katowice|Kaunas|Kyiv|Lausanne|Leeds|Leipzig|Lille|Lima|Lisbon
Liverpool|Ljubljana|Lodz|Los Angeles|Lublin|Malaga|Malmo|Marseille|Melbourne|Mexico City|Miami|Montreal|Mumbai|Nagoya|Nantes
Naples|New York|Nice|Nuremberg|Oslo|Osaka|Ostrava|Ottawa|Oxford|Palermo|Perth|Philadelphia|Phoenix|Pilsen|Porto|Quito
Reykjavik|Riga|Rotterdam|Salzburg|San Francisco|Santiago|Sao Paulo|Seattle|Seoul|Seville|Singapore|Sofia|Strasbourg|Stuttgart
Sydney|Szczecin|Tallinn|Tampere|The Hague|Tokyo|Toronto|Toulouse|Trondheim|Turin|Uppsala|Utrecht|Valencia|Vancouver|Venice
Verona|Vienna|Vilnius|York|Zagreb|Zurich
"""
COUNTRIES_ELSEWHERE = """
Argentina|Australia|Austria|Belgium|Brazil|Bulgaria|Canada|Chile|China|Colombia|Croatia|Cyprus|Denmark|Egypt|Estonia|Finland
Greece|Hungary|Iceland|India|Indonesia|Ireland|Israel|Japan|Kenya|Latvia|Lithuania|Luxembourg|Malta|Mexico|Morocco|Netherlands
New Zealand|Nigeria|Norway|Peru|Portugal|Romania|Serbia|Singapore|Slovakia|Slovenia|South Africa|South Korea|Switzerland
Thailand|Turkey|Ukraine|United States|Uruguay|Vietnam
"""
SEGMENTS_ELSEWHERE = """
Enterprise|Home Office|Government|Education|Retail|Wholesale|Partner|Startup|Premium|Public Sector|Nonprofit|Mid Market|VIP
Reseller|Healthcare|Hospitality|Student|Freelance|Agency|Basic|Gold|Silver
"""
CATEGORIES_ELSEWHERE = """
Books|Sports|Beauty|Groceries|Automotive|Music|Jewelry|Shoes|Pet Supplies|Health|Tools|Software|Accessories|Home Decor|Baby
Outdoor|Gaming|Stationery|Bathroom|Lighting|Bedding|Appliances|Footwear|Beverages|Snacks|Art Supplies|Phones|Computers|Travel
Cosmetics|Fitness|Hardware|Audio|Photography|Cleaning|Party Supplies|Crafts|Food|Bikes|Storage
"""
PRODUCTS_ELSEWHERE = """
Tablet|Smartphone|Printer|Router|Speaker|Microphone|Charger|Power Bank|Smart Watch|Camera|Drone|Projector|Hard Drive|Mouse Pad
Gaming Chair|Sofa|Armchair|Wardrobe|Dining Table|Coffee Table|Filing Cabinet|Bed Frame|Mattress|Mirror|Rug|Ballpoint Pen
Highlighter|Envelope|Paper Clip|Desk Organizer|Sticky Note|Calculator|Binder|Hoodie|Jeans|Sweater|Rain Coat|Baseball Cap|Scarf
Belt|Socks|Sandals|Toaster|Mixer|Microwave|Rice Cooker|Knife Set|Cutting Board|Water Bottle|Mug|Teapot|Wine Glass|Doll
Toy Car|Train Set|Kite|Yo-Yo|Card Game|Teddy Bear|Shovel|Rake|Wheelbarrow|Garden Chair|Hedge Trimmer|Sprinkler|Bird Feeder
Yoga Mat|Dumbbell|Tennis Racket|Football|Bicycle|Helmet|Tent|Sleeping Bag|Flashlight|Suitcase|Umbrella|Sunglasses|Perfume
Shampoo|Hair Dryer|Electric Shaver|Vacuum Cleaner|Iron|Candle|Picture Frame|Guitar|Piano|Cookbook|Atlas|Dictionary|Screwdriver
Hammer|Drill|Ladder|Paint Brush|Dog Leash|Cat Tree|Fish Tank|Car Battery|Bike Pump|USB Cable|Graphics Card|Wall Clock
"""
GIVEN_NAMES_ELSEWHERE = """
Agnieszka|Alan|Alice|Amelia|Andrea|Andrzej|Barbara|Beata|Ben|Carlos|Carmen|Charlotte|Chloe|Daniel|Daria|David|Diego|Dorota|Elena
Elisa|Ewa|Felix|Filip|Francesca|Frank|Grace|Greta|Grzegorz|Hannah|Helena|Henry|Hugo|Ida|Igor|Ines|Ingrid|Isabel|Iwona|Jack|Jana
Javier|Joanna|Johan|John|Jonas|Julia|Karl|Karolina|Kate|Krzysztof|Lars|Laura|Lena|Leon|Liam|Lisa|Luca|Magda|Marek|Marta|Martin
Mateusz|Matteo|Max|Michael|Michal|Mia|Monika|Nadia|Nina|Noah|Oscar|Oskar|Patrick|Paul|Pavel|Petra|Philip|Robert|Rosa|Sara|Sofia
Stefan|Sven|Theo|Thomas|Veronika|Victor|Walter|Wojciech|Yuki|Zuzana
"""
FAMILY_NAMES_ELSEWHERE = """
Adams|Andersson|Baker|Bauer|Becker|Brown|Carter|Clark|Cerny|Costa|Davies|Dupont|Dvorak|Esposito|Evans|Ferrari|Fernandez|Fontaine
Gomez|Green|Hall|Hansen|Harris|Hoffmann|Horak|Jackson|Jansen|Johansson|Johnson|Jones|Kaminska|Kaminski|King|Klein|Koch|Kowalczyk
Kral|Lambert|Laurent|Lee|Leroy|Lewis|Lindgren|Marino|Martinez|Mazur|Meyer|Miller|Moore|Moreau|Morris|Muller|Nguyen|Nilsson|Olsen
Parker|Perez|Petit|Phillips|Popescu|Prochazka|Ramirez|Richter|Roberts|Robinson|Romano|Russo|Sanchez|Santos|Scott|Silva|Simon
Suzuki|Szymanski|Tanaka|Thompson|Torres|Turner|Vesely|Wagner|Walker|Wang|White|Williams|Wilson|Wojcik|Wolf|Wright|Young|Zimmermann
"""
_ONSETS = [
    "b",
    "br",
    "c",
    "ch",
    "cl",
    "d",
    "dr",
    "f",
    "fl",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "kl",
    "l",
    "m",
    "n",
    "p",
    "pr",
    "qu",
    "r",
    "s",
    "sh",
    "sk",
    "st",
    "t",
    "th",
    "tr",
    "v",
    "w",
    "z",
    "zw",
]
_VOWELS = ["a", "e", "i", "o", "u", "a", "e", "i", "o", "ai", "ea", "ia", "ie", "io", "oo", "ou"]
_CODAS = ["", "", "", "l", "n", "r", "s", "t", "m", "x", "ck", "nd", "ng", "rt", "st", "ll", "sk"]


def city(rng: random.Random) -> str:
    return _one_of(rng, [name for names in demo.CITIES.values() for name in names], CITIES_ELSEWHERE)


def country(rng: random.Random) -> str:
    return _one_of(rng, list(demo.CITIES), COUNTRIES_ELSEWHERE)


def segment(rng: random.Random) -> str:
    return _one_of(rng, demo.SEGMENTS, SEGMENTS_ELSEWHERE)


def category(rng: random.Random) -> str:
    return _one_of(rng, list(demo.PRODUCTS), CATEGORIES_ELSEWHERE)


def product(rng: random.Random) -> str:
    return _one_of(rng, [name for goods in demo.PRODUCTS.values() for name in goods], PRODUCTS_ELSEWHERE)


def person(rng: random.Random) -> str:
    given = _one_of(rng, demo.GIVEN_NAMES, GIVEN_NAMES_ELSEWHERE)
    return f"{given} {_one_of(rng, demo.FAMILY_NAMES, FAMILY_NAMES_ELSEWHERE)}"


def status(rng: random.Random) -> str:
    return rng.choice(demo.STATUSES)


def channel(rng: random.Random) -> str:
    return rng.choice(demo.CHANNELS)


def known() -> list[str]:
    """Every listed value, for the tokenizer's training text."""
    pools = [CITIES_ELSEWHERE, COUNTRIES_ELSEWHERE, SEGMENTS_ELSEWHERE, CATEGORIES_ELSEWHERE, PRODUCTS_ELSEWHERE]
    return [value for pool in [*pools, GIVEN_NAMES_ELSEWHERE, FAMILY_NAMES_ELSEWHERE] for value in _split(pool)]


def _one_of(rng: random.Random, of_the_demo: list[str], elsewhere: str) -> str:
    draw = rng.random()
    if draw < 0.76:
        return rng.choice(of_the_demo)
    if draw < 0.93:
        return rng.choice(_split(elsewhere))
    return _made_up(rng)


def _made_up(rng: random.Random) -> str:
    syllables = (
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.choice([1, 2, 2, 3]))
    )
    return "".join(syllables).capitalize()


@cache
def _split(pool: str) -> list[str]:
    return pool.strip().replace("\n", "|").split("|")
