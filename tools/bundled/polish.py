"""How Polish-speaking business people ask, with and without diacritics; shapes it has no words for are left to English."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable
from datetime import date

from intents import Filter, Measure, Query
from wording import draw_frame, expand, fill

# fmt: off
# Nominative and accusative.
NOUNS = {
    "revenue": [("[|łączny|całkowity] przychód",) * 2, ("[|łączna] sprzedaż", "[|łączną] sprzedaż"), ("[|łączny] obrót",) * 2, ("przychody",) * 2, ("obroty",) * 2,
                ("[łączna|] wartość sprzedaży", "[łączną|] wartość sprzedaży"), ("[łączna|] wartość {a} zamówień", "[łączną|] wartość {a} zamówień"), ("przychód z {a} zamówień",) * 2,
                ("suma sprzedaży", "sumę sprzedaży")],
    "units": [("[liczba|ilość] sprzedanych [sztuk|produktów]", "[liczbę|ilość] sprzedanych [sztuk|produktów]"), ("[łączna|] liczba sztuk", "[łączną|] liczbę sztuk")],
    "orders": [("liczba {a} zamówień", "liczbę {a} zamówień"), ("ilość {a} zamówień", "ilość {a} zamówień")],
    "buyers": [("liczba [różnych|unikalnych] [kupujących|klientów z zamówieniem]", "liczbę [różnych|unikalnych] [kupujących|klientów z zamówieniem]"),
               ("liczba klientów, którzy [coś kupili|złożyli zamówienie]", "liczbę klientów, którzy [coś kupili|złożyli zamówienie]")],
    "customers": [("liczba klientów", "liczbę klientów"), ("ilość klientów",) * 2],
    "products": [("liczba produktów", "liczbę produktów")],
    "order_value": [("[średnia|przeciętna] wartość {a1} [zamówienia|koszyka]", "[średnią|przeciętną] wartość {a1} [zamówienia|koszyka]")],
    "average_price": [("[średnia|przeciętna] cena [produktu|produktów|]", "[średnią|przeciętną] cenę [produktu|produktów|]")],
    "lowest_price": [("[najniższa|minimalna] cena [produktu|]", "[najniższą|minimalną] cenę [produktu|]")],
    "highest_price": [("[najwyższa|maksymalna] cena [produktu|]", "[najwyższą|maksymalną] cenę [produktu|]")],
    "average_quantity": [("średnia ilość [w pozycji|na pozycję] zamówienia", "średnią ilość [w pozycji|na pozycję] zamówienia")],
    "items_per_order": [("średnia liczba sztuk [w zamówieniu|na zamówienie]", "średnią liczbę sztuk [w zamówieniu|na zamówienie]")],
    "revenue_per_buyer": [("średni przychód na klienta",) * 2, ("przychód na klienta",) * 2],
    "orders_per_buyer": [("średnia liczba zamówień na klienta", "średnią liczbę zamówień na klienta")],
    "products_sold": [("liczba różnych sprzedanych produktów", "liczbę różnych sprzedanych produktów")],
    "cities": [("liczba [różnych|] miast", "liczbę [różnych|] miast")],
    "countries": [("liczba [różnych|] krajów", "liczbę [różnych|] krajów")],
    "categories": [("liczba kategorii", "liczbę kategorii")],
    "first_order": [("data pierwszego {a1} zamówienia", "datę pierwszego {a1} zamówienia")],
    "last_order": [("data ostatniego {a1} zamówienia", "datę ostatniego {a1} zamówienia")],
    "first_signup": [("data pierwszej rejestracji", "datę pierwszej rejestracji")],
    "last_signup": [("data ostatniej rejestracji", "datę ostatniej rejestracji")],
}  # fmt: skip
QUESTIONS = {
    "revenue": ["[jaki przychód|jaki obrót|ile przychodu|ile pieniędzy] [przyniosła|dała|wygenerowała] kategoria {cat} {f}", "[jaki przychód|jaki obrót|ile przychodu] [przyniósł|dał|wygenerował] produkt {prod} {f}", "ile [klienci|ludzie] wydali na [produkty|] {thing} {f}",
                "[na jaką kwotę|za ile] [sprzedaliśmy|kupowali klienci|złożono zamówienia] {f}", "[jaką kwotę|ile] [wydali|zapłacili|zostawili] [łącznie|w sumie|] klienci {f}", "ile [wyniosły|wynosiły] [przychody|obroty] {f}", "[łącznie|w sumie] ile zarobiliśmy {f}", "ile [zarobiliśmy|sprzedaliśmy za|wyniósł przychód|wyniosła sprzedaż|wyniósł obrót] {f}", "jaki [był|jest] [przychód|obrót] {f}", "jaka była sprzedaż {f}", "ile [pieniędzy|] [wydali|zostawili] [u nas|] klienci {f}",
                "ile [pieniędzy|] wydał [u nas|łącznie|] klient {who} {f}", "ile [wydał|wydała] [u nas|łącznie|w sumie|] {who} {f}", "ile zarobiliśmy na [produkcie|] {thing} {f}"],
    "units": ["[ile|jaka liczba] [sztuk|egzemplarzy|produktów] [kupili|zamówili] klienci {f}", "ile {thing} [sprzedaliśmy|sprzedano|kupiono|zamówiono] {f}", "ile sztuk {thing} [zamówili|kupili] klienci {f}", "ile sztuk [sprzedaliśmy|sprzedano] {f}", "ile [sztuk|produktów] [zostało sprzedanych|zamówiono] {f}", "ile [sztuk|] [produktu|] {thing} [sprzedaliśmy|sprzedano] {f}"],
    "orders": ["ile [mamy|było|jest] {a} zamówień {f}", "ile {a} zamówień [wpłynęło|przyszło|zrealizowano|przyjęliśmy|zanotowaliśmy|napłynęło] {f}", "ile razy {who} [zamawiał|zamawiała|kupował] [u nas|] {f}", "ile {a} zamówień [złożono|mamy|było|dostaliśmy|otrzymaliśmy|zostało złożonych|jest] {f}", "ile {a} zamówień {f}", "ile {a} zamówień złożyli klienci {f}", "ile {a} zamówień [złożył|złożyła|ma] {who} {f}",
               "ile {a} zamówień zawiera [produkt|] {thing} {f}", "policz {a} zamówienia {f}"],
    "buyers": ["ile [różnych|] osób [kupiło coś|złożyło zamówienie|zamawiało] {f}", "ilu [różnych|unikalnych|] klientów [kupiło|zamówiło] [choć raz|] {thing} {f}", "ilu [różnych|unikalnych|] klientów [coś kupiło|złożyło zamówienie|zamówiło coś|kupowało|złożyło co najmniej jedno zamówienie] {f}", "ilu [różnych|unikalnych|] klientów kupiło [produkt|coś z kategorii|] {thing} {f}"],
    "customers": ["ilu [mamy|jest|macie] [wszystkich|łącznie|] klientów {f}", "ilu klientów [mieszka|pochodzi|jest zarejestrowanych|znajduje się] {f}", "ilu [naszych|] klientów jest {f}", "ilu [mamy|jest] klientów {f}", "ilu klientów [mamy|jest|] {f}", "ile osób [zarejestrowało|zapisało] się {signup} {f}", "ilu [nowych|] klientów [zarejestrowało się|zapisało się|przybyło|dołączyło] {signup} {f}", "policz klientów {f}"],
    "products": ["ile [mamy|jest] [różnych|] produktów {f}", "ile produktów [mamy|jest|sprzedajemy|oferujemy|] {f}", "policz produkty {f}"],
    "order_value": ["ile [średnio|przeciętnie] warte jest [jedno|] zamówienie {f}", "ile średnio wynosi zamówienie {f}"],
    "average_price": ["ile średnio kosztuje produkt {f}", "ile średnio kosztują produkty {f}"],
    "lowest_price": ["ile kosztuje najtańszy produkt {f}"], "highest_price": ["ile kosztuje najdroższy produkt {f}"],
    "items_per_order": ["ile sztuk [jest|przypada] średnio [w zamówieniu|na zamówienie] {f}"],
    "products_sold": ["ile różnych produktów [sprzedaliśmy|sprzedano|kupiono] {f}", "ile różnych produktów [kupił|kupiła] {who} {f}"],
    "cities": ["z ilu [różnych|] miast [mamy klientów|są nasi klienci] {f}", "w ilu miastach mamy klientów {f}"], "countries": ["z ilu [różnych|] krajów [mamy klientów|są nasi klienci] {f}", "w ilu krajach mamy klientów {f}"],
    "categories": ["ile [mamy|jest] kategorii [produktów|] {f}"],
    "first_order": ["kiedy [złożono|było] pierwsze {a} zamówienie {f}", "kiedy {who} [złożył|złożyła] pierwsze zamówienie {f}"],
    "last_order": ["kiedy [złożono|było] ostatnie zamówienie {f}", "kiedy {who} ostatnio [kupował|kupowała|zamawiał|złożył zamówienie] {f}", "kiedy {who} [złożył|złożyła] ostatnie zamówienie {f}"],
}  # fmt: skip
# Genitive, "each" in the genitive and the locative, nominative, and plural nominative and genitive.
DIMS = {
    "city": ("[miasta|miast|miasta klienta]", "każdego miasta", "każdym mieście", "miasto", "miasta", "miast"),
    "country": ("[kraju|krajów|kraju klienta]", "każdego kraju", "każdym kraju", "kraj", "kraje", "krajów"),
    "segment": ("[segmentu|segmentów|segmentu klienta]", "każdego segmentu", "każdym segmencie", "segment", "segmenty", "segmentów"),
    "category": ("[kategorii|kategorii produktu|kategorii produktów]", "każdej kategorii", "każdej kategorii", "kategoria", "kategorie", "kategorii"),
    "product": ("[produktu|produktów]", "każdego produktu", "każdym produkcie", "produkt", "produkty", "produktów"),
    "customer": ("[klienta|klientów]", "każdego klienta", "każdym kliencie", "klient", "[klienci|klienci]", "klientów"),
    "status": ("[statusu|statusów|statusu zamówienia]", "każdego statusu", "każdym statusie", "status", "statusy", "statusów"),
    "channel": ("[kanału|kanałów|kanału sprzedaży]", "każdego kanału", "każdym kanale", "kanał", "kanały", "kanałów"),
    "year": ("[roku|lat]", "każdego roku", "każdym roku", "rok", "lata", "lat"),
    "month": ("[miesiąca|miesięcy]", "każdego miesiąca", "każdym miesiącu", "miesiąc", "miesiące", "miesięcy"),
    "quarter": ("[kwartału|kwartałów]", "każdego kwartału", "każdym kwartale", "kwartał", "kwartały", "kwartałów"),
    "signup_year": ("roku rejestracji", "każdego roku rejestracji", "każdym roku rejestracji", "rok rejestracji", "lata rejestracji", "lat rejestracji"),
    "signup_month": ("miesiąca rejestracji", "każdego miesiąca rejestracji", "każdym miesiącu rejestracji", "miesiąc rejestracji", "miesiące rejestracji", "miesięcy rejestracji"),
}  # fmt: skip
BY = "[według {dg}|wg {dg}|w podziale na {dpa}|z podziałem na {dpa}|dla {each}|w {eachl}|na {dpa}]"
GROUPED = [
    "{m} [według|wg|po|na] {dg} {f}",
    "{m} [wg|według] {dg} {f}",
    f"{{m}} {{f}} , {BY}",
    f"[podaj|pokaż|podsumuj|zestaw|policz|chciałbym|chcę zobaczyć|potrzebuję] {{ma}} {{f}} {BY}",
    f"[proszę o|poproszę o|czy mógłbym prosić o|czy mogę prosić o|poprosimy o] {{ma}} {BY} {{f}}",
    f"[jaka jest|jaki jest|jaka była|jaki był|jak wygląda|jak wyglądała|jak wyglądał] {{m}} {BY} {{f}}",
    f"[jaka jest|jaki jest|jaka była|jaki był|jak wygląda|jak wyglądała] {{m}} {{f}} {BY}",
    "[zestawienie|tabela|podział|rozkład] : {m} [według|wg] {dg} {f}",
    "{dp} i {m} {f}",
    "{dp} : {m} {f}",
    "[każdy|każda] {d} i {m} {f}",
    f"{{m}} {BY} {{f}}",
    f"{{m}} {{f}} {BY}",
    f"[pokaż|podaj|wyświetl|wypisz|daj|chcę zobaczyć|poproszę] {{ma}} {BY} {{f}}",
    f"[pokaż|podaj|wyświetl|wypisz|chcę zobaczyć] {{ma}} {{f}} {BY}",
    f"{{q}} {{f}} {BY}",
    f"{{q}} {BY} {{f}}",
    "{m} {f} , [poproszę|podaj|] {d} i [kwotę|liczbę|wartość]",
    "ile {m} [przypada|wypada] na {d} {f}",
    "dla {each} [podaj|pokaż] {ma} {f}",
]
TIMELY = {
    "month": [
        "[miesięczny|miesięczna] {m} {f}",
        "{m} miesiąc po miesiącu {f}",
        "{m} w kolejnych miesiącach {f}",
        "jak zmieniał się {m} miesiąc po miesiącu {f}",
    ],
    "year": ["[roczny|roczna] {m} {f}", "{m} rok po roku {f}", "{m} w kolejnych latach {f}"],
}
COUNTED = {
    "orders": ["ile {a} zamówień [złożono|mamy|było|przypada|]"], "customers": ["ilu [mamy|jest] klientów", "ilu klientów mamy"], "products": ["ile [mamy|jest] produktów", "ile produktów"],
    "revenue": ["ile zarobiliśmy", "jaki był przychód", "jaka była sprzedaż", "jaki był obrót"], "units": ["ile sztuk [sprzedano|sprzedaliśmy]"],
    "buyers": ["ilu [różnych|unikalnych] klientów [kupiło|złożyło zamówienie]"], "order_value": ["jaka jest średnia wartość zamówienia"], "average_price": ["jaka jest średnia cena"],
}  # fmt: skip
SORTED = {"desc": ["malejąco", ", od [największej|najwyższej]", "posortowane malejąco"], "asc": ["rosnąco", ", od najmniejszej", "posortowane rosnąco"],
          "name": ["alfabetycznie", "w kolejności alfabetycznej"], "time": ["chronologicznie", ", chronologicznie", "w kolejności chronologicznej"]}  # fmt: skip
MOST = {
    "revenue": ("[największym przychodem|najwyższą sprzedażą|największą sprzedażą|najwyższym przychodem|największym obrotem]", "[najmniejszym przychodem|najniższą sprzedażą|najmniejszą sprzedażą]"),
    "units": ("[największą|najwyższą] liczbą sprzedanych sztuk", "najmniejszą liczbą sprzedanych sztuk"), "orders": ("największą liczbą {a} zamówień", "najmniejszą liczbą {a} zamówień"),
    "buyers": ("największą liczbą kupujących", "najmniejszą liczbą kupujących"), "customers": ("największą liczbą klientów", "najmniejszą liczbą klientów"),
    "products": ("największą liczbą produktów", "najmniejszą liczbą produktów"), "order_value": ("[najwyższą|największą] średnią wartością zamówienia", "[najniższą|najmniejszą] średnią wartością zamówienia"),
    "average_price": ("najwyższą średnią ceną", "najniższą średnią ceną"),
}  # fmt: skip
WHICH = {"category": "która", "customer": "który"}
RANKED = [
    "[jakie|którzy|które|kto to] {n} {dp} [mają|miały|mieli|ma|miało] {mosta} {f}",
    "{n} [najlepszych|najlepsze|czołowych] {dgp} [według|pod względem|wg] {mg} {f}",
    "top {n} {dgp} {f} [według|pod względem|wg] {mg}",
    "[lista|ranking|zestawienie] {n} {dgp} z {most} {f}",
    "[podaj|pokaż|wypisz|wyświetl|] {n} {dgp} z {most} {f}",
    "{n} {dgp} z {most} {f}",
    "[top|pierwsze] {n} {dgp} [według|pod względem|wg] {mg} {f}",
]
RANKED_ONE = [
    "[jaki|który|która|które] {d} [miał|miała|miało|ma|osiągnął|osiągnęła|osiągnęło|zanotował|zanotowała] {mosta} {f}",
    "[jaki|która|które] {d} [ma|miała|zanotowała] {mosta} {f}",
    "[wskaż|znajdź|podaj|powiedz jaki] {d} z {most} {f}",
    "[jaki|który|podaj|pokaż|] {d} z {most} {f}",
    "który {d} ma {mosta} {f}",
    "[który|jaki] {d} [jest|był] z {most} {f}",
    "{d} z {most} {f}",
]
MOST_ACC = {"revenue": ("[największy|najwyższy] [przychód|obrót]", "[najmniejszy|najniższy] [przychód|obrót]"), "units": ("najwięcej sprzedanych sztuk", "najmniej sprzedanych sztuk"), "orders": ("najwięcej {a} zamówień", "najmniej {a} zamówień"),
            "buyers": ("najwięcej kupujących", "najmniej kupujących"), "customers": ("najwięcej klientów", "najmniej klientów"), "products": ("najwięcej produktów", "najmniej produktów"),
            "order_value": ("najwyższą średnią wartość zamówienia", "najniższą średnią wartość zamówienia"), "average_price": ("najwyższą średnią cenę", "najniższą średnią cenę")}  # fmt: skip
GENITIVE = {"revenue": "[przychodu|sprzedaży|obrotu]", "units": "[liczby sprzedanych sztuk|sprzedanych sztuk]", "orders": "liczby {a} zamówień", "buyers": "liczby kupujących", "customers": "liczby klientów", "products": "liczby produktów",
            "order_value": "średniej wartości zamówienia", "average_price": "średniej ceny"}  # fmt: skip
VERBS = {
    ("revenue", "customer"): ["[kto|który klient|jaki klient] [wydał|wydaje|zostawił|zapłacił] [u nas|] najwięcej [pieniędzy|] {f}", "[który klient|kto] [u nas|] [wydał|wydała] najwięcej [u nas|] {f}", "[kto jest|] [naszym|nasz] [najlepszym|najlepszy] [klientem|klient] {f}"], ("orders", "customer"): ["[kto|który klient] [złożył|ma|złożyła] najwięcej zamówień {f}"],
    ("units", "product"): ["[który|jaki] produkt [sprzedaje się|sprzedał się] najlepiej {f}", "najlepiej sprzedający się produkt {f}", "[jaki jest|] najpopularniejszy produkt {f}"],
    ("revenue", "product"): ["[który|jaki] produkt [przyniósł|przynosi] [największy przychód|najwięcej pieniędzy] {f}"], ("revenue", "category"): ["która kategoria [przyniosła|przynosi] [największy przychód|najwięcej pieniędzy] {f}"],
    ("revenue", "country"): ["[który|jaki] kraj [przyniósł|przynosi] [największy przychód|najwięcej pieniędzy] {f}", "w którym kraju [mamy|jest] [największa sprzedaż|największy obrót] {f}"], ("orders", "month"): ["w którym miesiącu [było|złożono] najwięcej zamówień {f}"],
    ("orders", "year"): ["w którym roku [było|złożono] najwięcej zamówień {f}"], ("customers", "city"): ["w którym mieście mamy najwięcej klientów {f}"], ("customers", "country"): ["w którym kraju mamy najwięcej klientów {f}", "z którego kraju mamy najwięcej klientów {f}"],
    ("orders", "channel"): ["którym kanałem złożono najwięcej zamówień {f}", "najpopularniejszy kanał [zamówień|] {f}"], ("revenue", "month"): ["w którym miesiącu [zarobiliśmy|sprzedaliśmy] najwięcej {f}", "najlepszy miesiąc pod względem [sprzedaży|przychodu] {f}"],
    ("revenue", "year"): ["w którym roku [zarobiliśmy|sprzedaliśmy] najwięcej {f}"], ("revenue", "city"): ["w którym mieście [mamy|jest] [największa sprzedaż|największy obrót] {f}"],
}  # fmt: skip
VERBS_MANY = {
    ("revenue", "customer"): ["[podaj|pokaż|] {n} [najlepszych|największych] klientów {f}", "{n} klientów, którzy wydali najwięcej {f}"], ("units", "product"): ["[podaj|pokaż|] {n} najlepiej sprzedających się produktów {f}", "{n} najpopularniejszych produktów {f}"],
    ("orders", "customer"): ["{n} klientów, którzy złożyli najwięcej zamówień {f}"], ("revenue", "product"): ["{n} produktów, które przyniosły [najwięcej|największy przychód] {f}"],
}  # fmt: skip
ONLY = [
    "[? |. |, ][podaj|wystarczy|interesuje mnie|potrzebuję|poproszę] [tylko|samą|sam] [nazwę|nazwisko|nazwa|imię i nazwisko|{d}]",
    "[? |. |- |, ][tylko|sam|sama|same] [imię i nazwisko|imiona i nazwiska|nazwisko|nazwa|nazwy]",
    "[, |- ][same nazwy|tylko nazwy|tylko nazwa|sama nazwa]",
    ", tylko {d}",
    "[, |- ]bez [kwot|liczb]",
    "(tylko nazwa)",
]
BOTH = [
    "[? |, |. |- ][podaj|pokaż|proszę o|poproszę|potrzebuję|interesuje mnie|wypisz] [nazwę|nazwy|nazwisko|imię i nazwisko|{d}] i [kwotę|liczbę|sumę|wartość]",
    "[, |? |- ]{d} i [kwota|liczba|suma|wartość]",
    "[, |? |- ]razem z [kwotą|liczbą|sumą|wartością]",
    "[, |? |. |- ]podaj [też|również|także] [kwotę|liczbę|sumę|wartość]",
    "[, |- ][nazwa i [kwota|wartość|liczba|suma]|z [kwotą|wartością|liczbą|sumą]]",
    ", podaj {d} i [kwotę|wartość|liczbę|sumę]",
    "i ile [to|] było",
    ", nazwa i wynik",
]
HAVING = [
    "{dp} [mające|mający|które mają|z wynikiem] {more} {t} {counted} {f}",
    "[które|jakie|którzy|jacy] {dp} [miały|mieli|mają|osiągnęły|osiągnęli|zanotowały] {more} {t} {counted} {f}",
    "[podaj|pokaż|wypisz|wymień|znajdź] {dp} , [które|którzy] [mają|miały|mieli] {more} {t} {counted} {f}",
    "[które|jakie|pokaż|wypisz|podaj|] {dp} [mają|z|o|, które mają] {more} {t} {counted} {f}",
    "{dp} z [więcej niż|ponad] {t} {counted} {f}",
]
HAVING_VERBS = {
    ("orders", "customer"): ["[którzy|jacy|wypisz|pokaż|] klienci[, którzy|] [złożyli|mają] {more} {t} zamówień {f}", "klienci z [więcej niż|ponad] {t} zamówieniami {f}", "kto złożył {more} {t} zamówień {f}"], ("revenue", "customer"): ["[którzy|] klienci[, którzy|] wydali {more} {t} {f}", "kto wydał {more} {t} {f}"],
    ("units", "product"): ["[które|jakie|] produkty[, które|] [sprzedały się w|sprzedano w] {more} {t} sztuk[ach|] {f}"], ("revenue", "category"): ["[które|] kategorie[, które|] przyniosły {more} {t} przychodu {f}"],
    ("revenue", "product"): ["[które|] produkty[, które|] przyniosły {more} {t} przychodu {f}"], ("revenue", "country"): ["[które|] kraje[, które|] przyniosły {more} {t} przychodu {f}"], ("revenue", "city"): ["[które|] miasta[, które|] przyniosły {more} {t} przychodu {f}"],
}  # fmt: skip
MORE = {
    "above": "[więcej niż|ponad|powyżej]",
    "at_least": "[co najmniej|przynajmniej|minimum]",
    "below": "[mniej niż|poniżej]",
    "exactly": "dokładnie",
    "at_most": "[najwyżej|co najwyżej]",
}
COUNTED_GENITIVE = {
    "revenue": "[przychodu|obrotu|sprzedaży]",
    "units": "sprzedanych sztuk",
    "orders": "zamówień",
    "buyers": "kupujących",
    "customers": "klientów",
    "products": "produktów",
}
COMPARE = [
    "porównaj {ma} {values} {f}",
    "porównaj {values} : {m} {f}",
    "{m} {values} {f}",
    "{m} : {values} {f}",
    "[pokaż|podaj] {ma} dla {values} {f}",
    "porównanie {values} : {m} {f}",
]
SHARE = {
    "orders": ["jaki [procent|odsetek] [wszystkich|] zamówień [ma status|jest o statusie|to zamówienia o statusie] {status} {f}", "jaki [procent|odsetek] [wszystkich|] zamówień to {partg} {f}", "[procent|odsetek|udział] {a2} zamówień {f}", "jaki [jest|] [udział|odsetek] {a2} zamówień {f}",
               "jaki [procent|odsetek] [wszystkich|] zamówień [stanowią|to] zamówienia {part} {f}", "[udział|procent] zamówień {part} [we wszystkich zamówieniach|] {f}"],
    "revenue": ["jaki [procent|udział] [całego|] [przychodu|obrotu] [pochodzi|przypada na|to] [sprzedaż|] {part} {f}", "[udział|procent] [przychodu|sprzedaży|obrotu] {part} [w całości|w całym przychodzie|] {f}"],
    "customers": ["jaki [procent|odsetek] [wszystkich|] klientów [jest|pochodzi|to klienci] {part} {f}", "[udział|odsetek|procent] klientów {part} {f}"], "products": ["jaki [procent|odsetek] produktów [jest|pochodzi] {part} {f}"], "units": ["jaki [procent|odsetek] sprzedanych sztuk [pochodzi|to sprzedaż] {part} {f}"],
}  # fmt: skip
SHARES = [
    "jaki [procent|udział|odsetek] [całej|całego|łącznej|] [sprzedaży|przychodu|obrotu] [stanowi|przynosi|daje|ma] [każda|każdy|każde] {d} {f} {revenue}",
    "[udział|procentowy udział|procent] {dgp} w [sprzedaży|przychodzie|obrocie|przychodach] {f} {revenue}",
    "[jaki jest|podaj|pokaż] [udział|procentowy udział] [każdej|każdego|poszczególnych] {dgp} w [sprzedaży|przychodzie|obrocie] {f} {revenue}",
    "{m} [według|wg] {dg} [w procentach|jako procent całości|procentowo] {f}",
    "[procentowy podział|podział procentowy] {mg} [według|wg|na] {dg} {f}",
    "jak {m} rozkłada się procentowo na {dpa} {f}",
]
REPEAT = {
    (False, True): [
        "ilu klientów [zamówiło|kupiło|złożyło zamówienie] [więcej niż raz|co najmniej dwa razy|kilka razy] {f}",
        "ilu [mamy|jest] [powracających|stałych] klientów {f}",
    ],
    (False, False): [
        "[którzy|jacy] klienci [zamówili|kupili|kupowali] [więcej niż raz|co najmniej dwa razy|kilka razy] {f}",
        "klienci z więcej niż jednym zamówieniem {f}",
        "[lista|pokaż|wypisz] [powracających|stałych] klientów {f}",
    ],
    (True, True): [
        "ilu klientów [zamówiło|kupiło|złożyło zamówienie] [tylko raz|dokładnie raz|jeden raz|jednokrotnie] {f}",
        "ilu klientów ma [tylko|dokładnie] jedno zamówienie {f}",
    ],
    (True, False): [
        "[którzy|jacy] klienci [zamówili|kupili|złożyli zamówienie] [tylko raz|dokładnie raz|jeden raz] {f}",
        "klienci z [tylko|dokładnie] jednym zamówieniem {f}",
    ],
}
PERIOD_MEAN = [
    "[średnia|przeciętna|średni|przeciętny] {m} na {d} {f}",
    "ile [średnio|przeciętnie] [przypada|jest] {cg} na {d} {f}",
    "ile {cg} [średnio|przeciętnie] [przypada na|na] {d} {f}",
]
THINGS = {
    "customer": ("[klientów|klientów|wszystkich klientów]", "[klienci|nasi klienci]", "[klient]"),
    "product": ("[produktów|wszystkich produktów]", "produkty", "produkt"),
    "order": ("[zamówień|wszystkich zamówień]", "zamówienia", "zamówienie"),
}
COLUMNS = {
    "customer": {"name": "[nazwy|imiona i nazwiska|nazwiska|imię i nazwisko|nazwa]", "city": "[miasta|miasto]", "country": "[kraje|kraj]", "segment": "[segmenty|segment]", "signup_date": "[daty rejestracji|data rejestracji]", "customer_id": "[id|identyfikatory]"},
    "product": {"name": "[nazwy|nazwy produktów]", "category": "[kategorie|kategoria]", "price": "[ceny|cena]", "product_id": "[id|identyfikatory]"},
    "order": {"order_id": "[numery|id|identyfikatory|numer|numer zamówienia|numery zamówień]", "date": "[daty|data|data zamówienia]", "status": "[statusy|status]", "channel": "[kanały|kanał]", "customer": "[klient|nazwy klientów|imię i nazwisko klienta|nazwisko klienta|nazwa klienta]"},
}  # fmt: skip
LISTED = {
    "customer": ["[wypisz|pokaż|podaj|wyświetl|lista|wylistuj] [wszystkich|naszych|] klientów {f}", "[którzy|jacy|jakich mamy] [klienci|klientów] {f}", "klienci {f}"],
    "product": ["[wypisz|pokaż|podaj|wyświetl|wylistuj] [wszystkie|nasze|] produkty {f}", "[które|jakie] produkty [są|mamy|] {f}", "produkty {f}", "lista produktów {f}"],
    "order": ["[wypisz|pokaż|podaj|wyświetl|wylistuj] [wszystkie|] zamówienia {f}", "[które|jakie] zamówienia [są|mamy|] {f}", "lista zamówień {f}", "zamówienia {f}"],
}  # fmt: skip
LISTED_COLUMNS = [
    "[podaj|poproszę|potrzebuję|pokaż|wypisz] {cols} [dla|] [wszystkich|naszych|] {tg} {f}",
    "{tn} {f} : {cols}",
    "[jakie|które] {tn} [mamy|są|] {f} ? [podaj|pokaż|wypisz|] {cols}",
    "[lista|zestawienie|spis] {tg} {f} [: |, |- |z polami ]{cols}",
    "[wypisz|pokaż|podaj|wyświetl|] {cols} [wszystkich|] {tg} {f}",
    "{cols} {tg} {f}",
    "{tn} {f} [, |- |: |, podaj |, tylko ]{cols}",
    "{tn} {f} ({cols})",
]
LISTED_FAR = {
    "customer": ["[którzy klienci|kto] [kupili|kupił|zamówił|zamówili] [produkt|coś z kategorii|] {thing} {f}", "[wypisz|podaj|pokaż] klientów, którzy kupili [produkt|coś z kategorii|] {thing} {f}", "klienci, którzy [złożyli zamówienie|kupowali|coś kupili] {f}", "[wypisz|podaj|pokaż] klientów, którzy [złożyli zamówienie|kupowali|coś kupili] {f}"],
    "product": ["[jakie|które] produkty [kupił|kupiła|zamówił|zamówiła] {who} {f}", "co [kupił|kupiła] {who} {f}", "[jakie|które] produkty [sprzedano|kupiono|zamówiono] {f}", "produkty [sprzedane|kupione|zamówione] {f}", "[jakie|które] produkty [kupili|zamówili] klienci {f}"],
}  # fmt: skip
ROW_SORT = {("name", "asc"): ["alfabetycznie", "w kolejności alfabetycznej", "posortowane po nazwie"], ("price", "asc"): ["od najtańszego", "od najtańszych", "rosnąco po cenie"], ("price", "desc"): ["od najdroższego", "od najdroższych do najtańszych", "malejąco po cenie"],
            ("signup_date", "asc"): ["od najstarszych", "według daty rejestracji"], ("signup_date", "desc"): ["od najnowszych"], ("date", "asc"): ["chronologicznie", "według daty"], ("date", "desc"): ["od najnowszych", "od najnowszego"]}  # fmt: skip
EXTREME = {("product", True): ["najdroższy produkt", "najdroższych produktów"], ("product", False): ["najtańszy produkt", "najtańszych produktów"], ("customer", True): ["najnowszy klient", "najnowszych klientów"],
           ("customer", False): ["najstarszy klient", "najstarszych klientów"], ("order", True): ["[ostatnie|najnowsze] zamówienie", "ostatnich zamówień"], ("order", False): ["pierwsze zamówienie", "pierwszych zamówień"]}  # fmt: skip
EXTREME_SAID = {("product", "only"): [", tylko nazwa", ", same nazwy", "- nazwa"], ("product", "both"): ["i [jego|ich] [cena|ceny]", ", nazwa i cena", "z [ceną|cenami]"], ("customer", "only"): [", tylko nazwa", ", same nazwy"],
                ("customer", "both"): [", nazwa i data rejestracji", "z datą rejestracji"], ("order", "only"): [", tylko id", ", same numery"], ("order", "both"): [", numer i data", "z datą"]}  # fmt: skip
ABSENT = {
    "customer": ["[którzy|jacy] klienci {f} [nigdy niczego nie zamówili|nie złożyli żadnego zamówienia|nie mają zamówień|nic nie kupili|nie złożyli zamówienia|nigdy nic nie kupili|niczego nie zamówili] {far}", "klienci {f} bez [zamówień|żadnego zamówienia] {far}",
                 "[wypisz|podaj|pokaż] klientów {f}[, którzy|którzy] [nic nie kupili|nie złożyli żadnego zamówienia|nigdy nie zamówili] {far}", "kto [nic nie kupił|nie złożył żadnego zamówienia|nigdy niczego nie zamówił] {far} {f}"],
    "product": ["[które|jakie] produkty {f} [nigdy się nie sprzedały|nie zostały sprzedane|nigdy nie zostały kupione|nie sprzedały się|nie były zamawiane] {far}", "produkty {f} [bez sprzedaży|bez zamówień|nigdy niesprzedane] {far}", "[wypisz|pokaż] produkty {f}, których nikt nie kupił {far}", "których produktów {f} nikt nie kupił {far}"],
}  # fmt: skip
ABSENT_COUNT = {
    "customer": [
        "ilu klientów {f} [nie złożyło żadnego zamówienia|nic nie kupiło|nie ma zamówień|nigdy nic nie zamówiło] {far}",
        "liczba klientów {f} bez zamówień {far}",
    ],
    "product": ["ile produktów {f} [nigdy się nie sprzedało|nie zostało sprzedanych|nikt nie kupił] {far}"],
}
BOTH_DONE = {("product", False): ["[którzy|] klienci {f} [kupili|, którzy kupili] [zarówno|] {one} i {two}", "kto kupił {one} i {two} {f}"], ("product", True): ["[którzy|] klienci {f} [kupili|, którzy kupili] {one} , ale nie {two}", "kto kupił {one} , ale nie {two} {f}"],
             ("year", False): ["[którzy|] klienci {f} [kupowali|zamawiali|złożyli zamówienie|, którzy kupowali] [zarówno|] w {one} i w {two} [roku|]"], ("year", True): ["[którzy|] klienci {f} [kupowali|zamawiali|złożyli zamówienie|, którzy kupowali] w {one} , ale nie w {two} [roku|]"]}  # fmt: skip
BESIDE = [
    "[które|jakie|pokaż|wypisz|] produkty {f} [są droższe niż średnia|kosztują więcej niż średnia|z ceną powyżej średniej|droższe od średniej ceny|mają cenę powyżej średniej]",
    "[które|jakie|pokaż|wypisz|] produkty {f} [są tańsze niż średnia|kosztują mniej niż średnia|z ceną poniżej średniej|tańsze od średniej ceny|mają cenę poniżej średniej]",
]
DISTINCT = {"city": ["[w jakich|w których] miastach [mamy|są nasi] [klientów|klienci] {f}", "[lista|wypisz] [wszystkich|] miast [klientów|] [bez powtórzeń|] {f}", "z jakich miast są klienci {f}"], "country": ["[w jakich|w których] krajach mamy klientów {f}", "[lista|wypisz] krajów [klientów|] [bez powtórzeń|] {f}", "z jakich krajów są klienci {f}"],
            "segment": ["jakie [mamy|są] segmenty [klientów|] {f}", "lista segmentów {f}"], "category": ["jakie [mamy|są] kategorie [produktów|] {f}", "lista kategorii [produktów|] {f}", "wypisz [wszystkie|] kategorie {f}"], "status": ["jakie [mamy|są|mogą być] statusy [zamówień|] {f}", "lista statusów {f}"],
            "channel": ["jakie [mamy|są] kanały [sprzedaży|zamówień|] {f}", "lista kanałów {f}"]}  # fmt: skip
LOOKUP = {"price_of": ["ile kosztuje {v}", "jaka jest cena [produktu|] {v}", "cena [produktu|] {v}"], "category_of": ["do jakiej kategorii należy {v}", "w jakiej kategorii jest {v}"], "city_of": ["w jakim mieście mieszka {v}", "z jakiego miasta jest {v}"], "country_of": ["z jakiego kraju jest {v}", "w jakim kraju mieszka {v}"],
          "segment_of": ["w jakim segmencie jest {v}", "do jakiego segmentu należy {v}"], "signup_of": ["kiedy [zarejestrował|zarejestrowała] się {v}", "data rejestracji [klienta|] {v}"], "order_value_of": ["jaka jest wartość zamówienia [nr|numer|] {v}", "ile [jest warte|wynosi] zamówienie [nr|numer|] {v}"], "order_status_of": ["jaki jest status zamówienia [nr|numer|] {v}", "status zamówienia {v}"],
          "order_date_of": ["kiedy złożono zamówienie [nr|numer|] {v}", "data zamówienia {v}"], "order_customer_of": ["kto złożył zamówienie [nr|numer|] {v}", "klient zamówienia {v}"], "order_products_of": ["jakie produkty są w zamówieniu [nr|numer|] {v}", "co było w zamówieniu [nr|numer|] {v}"],
          "order_lines_of": ["jakie produkty i w jakiej ilości są w zamówieniu [nr|] {v}", "produkty i ilości w zamówieniu {v}"], "order_count_of_number": ["ile zamówień złożył klient [nr|numer|o id] {v}"], "orders_of_number": ["zamówienia klienta [nr|numer|o id] {v}"], "name_of_number": ["jak nazywa się klient [nr|numer|o id] {v}"], "spent_of_number": ["ile wydał klient [nr|numer|o id] {v}"]}  # fmt: skip
ORDER_FIGURE = {
    ("value", False): [
        "[najwyższa|największa] wartość zamówienia {f}",
        "jaka [jest|była] [najwyższa|największa] wartość zamówienia {f}",
    ],
    ("value", True): ["[jaka jest|] najniższa wartość zamówienia {f}"],
}
TOP_ORDERS = {
    False: ["[jakie jest|które było|pokaż|] największe zamówienie [pod względem wartości|] {f}"],
    True: ["[jakie jest|pokaż|] najmniejsze zamówienie [pod względem wartości|] {f}"],
}
ORDERS_OVER = [
    "zamówienia [o wartości|warte|za] {more} {t} {f}",
    "[które|pokaż|wypisz] zamówienia [są warte|mają wartość|o wartości] {more} {t} {f}",
]
ORDERS_OVER_COUNT = [
    "ile zamówień [jest warte|ma wartość|było warte] {more} {t} {f}",
    "liczba zamówień [o wartości|wartych] {more} {t} {f}",
]

# Genitive ("z ...") and locative ("w ...").
PLACES = {
    "Warsaw": ("Warszawy", "Warszawie"), "Krakow": ("Krakowa", "Krakowie"), "Gdansk": ("Gdańska", "Gdańsku"), "Wroclaw": ("Wrocławia", "Wrocławiu"), "Poznan": ("Poznania", "Poznaniu"), "Berlin": ("Berlina", "Berlinie"), "Munich": ("Monachium", "Monachium"),
    "Hamburg": ("Hamburga", "Hamburgu"), "Paris": ("Paryża", "Paryżu"), "Lyon": ("Lyonu", "Lyonie"), "Madrid": ("Madrytu", "Madrycie"), "Barcelona": ("Barcelony", "Barcelonie"), "Rome": ("Rzymu", "Rzymie"), "Milan": ("Mediolanu", "Mediolanie"), "London": ("Londynu", "Londynie"),
    "Manchester": ("Manchesteru", "Manchesterze"), "Prague": ("Pragi", "Pradze"), "Brno": ("Brna", "Brnie"), "Stockholm": ("Sztokholmu", "Sztokholmie"), "Poland": ("Polski", "Polsce"), "Germany": ("Niemiec", "Niemczech"), "France": ("Francji", "Francji"),
    "Spain": ("Hiszpanii", "Hiszpanii"), "Italy": ("Włoch", "Włoszech"), "United Kingdom": ("Wielkiej Brytanii", "Wielkiej Brytanii"), "Czechia": ("Czech", "Czechach"), "Sweden": ("Szwecji", "Szwecji"),
}  # fmt: skip
CATEGORIES = {
    "Electronics": "Elektronika",
    "Furniture": "Meble",
    "Office Supplies": "Artykuły biurowe",
    "Clothing": "Odzież",
    "Kitchen": "Kuchnia",
    "Toys": "Zabawki",
    "Garden": "Ogród",
}
STATUS_BEFORE = {
    "pending": "oczekujących",
    "shipped": "wysłanych",
    "delivered": "dostarczonych",
    "cancelled": "anulowanych",
    "returned": "zwróconych",
}
STATUS_PLURAL = {
    "pending": "oczekujące",
    "shipped": "wysłane",
    "delivered": "dostarczone",
    "cancelled": "anulowane",
    "returned": "zwrócone",
}
STATUS_ONE = {
    "pending": "oczekującego",
    "shipped": "wysłanego",
    "delivered": "dostarczonego",
    "cancelled": "anulowanego",
    "returned": "zwróconego",
}
CHANNELS = {
    "web": "[przez internet|online|w kanale web|przez stronę|z kanału web]",
    "store": "[w sklepie|w kanale store|w sklepach|w sklepie stacjonarnym|z kanału store]",
    "phone": "[przez telefon|telefonicznie|w kanale phone|z kanału phone]",
    "mobile": "[przez aplikację|w kanale mobile|przez aplikację mobilną|z kanału mobile]",
}
CHANNEL_NAMES = {
    "web": "[web|internet]",
    "store": "[store|sklep]",
    "phone": "[phone|telefon]",
    "mobile": "[mobile|aplikacja]",
}
MONTHS_IN = [
    "styczniu",
    "lutym",
    "marcu",
    "kwietniu",
    "maju",
    "czerwcu",
    "lipcu",
    "sierpniu",
    "wrześniu",
    "październiku",
    "listopadzie",
    "grudniu",
]
MONTHS_OF = [
    "stycznia",
    "lutego",
    "marca",
    "kwietnia",
    "maja",
    "czerwca",
    "lipca",
    "sierpnia",
    "września",
    "października",
    "listopada",
    "grudnia",
]
NUMBER_WORDS = {
    2: "dwa",
    3: "trzy",
    4: "cztery",
    5: "pięć",
    6: "sześć",
    7: "siedem",
    8: "osiem",
    10: "dziesięć",
    20: "dwadzieścia",
}
SMALL_TALK = [
    "[do|potrzebuję do|na potrzeby] [raportu|prezentacji|zestawienia|budżetu|raportu zarządu|sprawozdania|spotkania] [:|-|,|]",
    "[szef|kierownik|dyrektor|księgowa|klient|kolega|zarząd|dział marketingu] [pyta|chce wiedzieć|prosi o informację|potrzebuje danych|się pyta] [:|,|-]",
    "[dzień dobry|cześć|witam|hej] [,|!|-] [mam pytanie|szybkie pytanie|pytanie|potrzebuję pomocy|jedno pytanko] [:|,|-]",
    "[czy możesz|czy mógłbyś|czy mogłabyś|czy może mi Pan|czy może Pani|możesz] [powiedzieć|podać|sprawdzić|pokazać|policzyć|mi powiedzieć] [:|,|]",
    "[chcę|chciałbym|chciałabym|muszę|chcemy] [wiedzieć|sprawdzić|się dowiedzieć|zobaczyć|ustalić] [:|,|]",
    "[interesuje mnie|ciekawi mnie|zastanawiam się|przygotowuję raport|planujemy kampanię|robię zestawienie|sprawdzam coś] [:|,|-]",
    "[powiedz|podpowiedz|przypomnij|sprawdź|a] [mi|proszę|] [:|,|]",
]
AFTERTHOUGHT = [
    "[, |. |- ][dziękuję|dzięki|z góry dziękuję|proszę|poproszę|pilne|to pilne]",
    "[, |- ]do [raportu|prezentacji|zestawienia]",
    "[łącznie|ogółem|w sumie|do tej pory|w naszym sklepie|u nas|w naszej bazie]",
]
CHATTER = [
    "proszę,",
    "cześć,",
    "hej,",
    "dzień dobry,",
    "chciałbym wiedzieć,",
    "powiedz mi,",
    "szef pyta,",
    "potrzebuję:",
    "szybkie pytanie:",
    "interesuje mnie,",
]
# fmt: on


def phrase(query: Query, rng: random.Random, held_out: bool) -> str | None:
    """`query` as a Polish question in a frame of the wanted split, or None where Polish has no words for it."""
    return Polish(query, rng).question(held_out)


class Polish:
    def __init__(self, query: Query, rng: random.Random) -> None:
        self.query, self.rng, self.slots = query, rng, query.slots
        self.left = list(query.filters)
        rng.shuffle(self.left)

    def question(self, held_out: bool) -> str | None:
        try:
            frames = [frame for frame in self._frames() if self._can_say(frame)]
            frame = draw_frame(frames, self.rng, held_out) if frames else None
            if frame is None:
                return None
            front = ""
            if self.rng.random() < 0.1 and (
                period := next(
                    (f for f in self.left if f.kind == "date" and f.how in ("year", "month", "quarter")), None
                )
            ):
                self.left.remove(period)
                front = self._period(period)
            return self._noise(fill(f"{front} {frame} {{f}}", self._holes()))
        except (KeyError, StopIteration):  # no Polish words for this measure, group or filter
            return None

    def _frames(self) -> list[str]:
        s, shape = self.slots, self.query.shape
        if shape == "scalar":
            general = [
                "[jaka jest|jaki jest|jaka była|jaki był|] {m} {f}",
                "{m} {f}",
                "[pokaż|podaj|oblicz|policz|chcę znać] {ma} {f}",
            ]
            return general + QUESTIONS.get(s["measure"].key, []) * 2
        if shape == "grouped":
            frames = [f for f in GROUPED if "{q}" not in f or s["measure"].key in COUNTED] + TIMELY.get(
                s["dim"].key, []
            ) * 3
            return [f"{f} {tail}" for f in frames for tail in SORTED[s["order"]]] if s["order"] else frames
        if shape == "two_dims":
            return [
                "{m} według {dg} i {dg2} {f}",
                "{m} wg {dg} i {dg2} {f}",
                "[pokaż|podaj] {ma} {f} w podziale na {dpa} i {dpa2}",
                "{m} w podziale na {dpa} i {dpa2} {f}",
            ]
        if shape in ("ranked", "ranked_one"):
            key, one = (s["measure"].key, s["dim"].key), shape == "ranked_one"
            frames = (RANKED_ONE if one else RANKED[: 2 if s["lowest"] else None]) + (
                [] if s["lowest"] else (VERBS if one else VERBS_MANY).get(key, []) * 3
            )
            return [f"{f} {tail}" for f in frames for tail in {"nothing": [""], "only": ONLY, "both": BOTH}[s["said"]]]
        if shape == "having":
            exceed = ["[które|jakie|którzy|] {dp} [przekroczyły|przekroczyli|przekraczają] {t} {counted} {f}"] * 2
            frames = (
                HAVING
                + (exceed if s["how"] == "above" else [])
                + HAVING_VERBS.get((s["measure"].key, s["dim"].key), []) * 3
            )
            return [f"{f} {tail}" for f in frames for tail in {"nothing": [""], "only": ONLY, "both": BOTH}[s["said"]]]
        if shape == "count_having":
            return (
                ["ilu klientów [złożyło|ma] {more} {t} zamówień {f}"]
                if (s["measure"].key, s["dim"].key) == ("orders", "customer")
                else []
            )
        if shape == "compare":
            return COMPARE
        if shape == "share":
            return (
                [f"{f} {tail}" for f in SHARE[s["measure"].key] for tail in ("", "", "(w procentach)", "w procentach")]
                if s["percent"]
                else []
            )
        if shape == "shares":
            return SHARES
        if shape == "nth_price":
            return []
        if shape == "repeat":
            return REPEAT[s["once"], s["counted"]]
        if shape == "per_period_mean":
            return PERIOD_MEAN
        if shape == "listed":
            frames = LISTED_COLUMNS if s["columns"] else LISTED[s["entity"]]
            if s["far"]:
                frames = LISTED_FAR.get(s["entity"], LISTED_COLUMNS if s["columns"] else LISTED["order"])
                frames = [
                    f + tail
                    for f in frames
                    for tail in (("[, |? |- ]{cols}", " ({cols})") if s["columns"] else ("", "", " bez powtórzeń"))
                ]
            return [f"{f} {tail}" for f in frames for tail in ROW_SORT[s["order"]]] if s["order"] else frames
        if shape == "extreme":
            one, many = EXTREME[s["entity"], s["down"]]
            frames = (
                [f"[jaki jest|podaj|pokaż|który to|] {one} {{f}}", f"{one} {{f}}"]
                if s["n"] == 1
                else [f"[podaj|pokaż|wypisz|] {{n}} {many} {{f}}", f"{{n}} {many} {{f}}"]
            )
            return [
                f"{f} {tail}"
                for f in frames
                for tail in ([""] if s["said"] == "nothing" else EXTREME_SAID[s["entity"], s["said"]])
            ]
        if shape in ("absent", "absent_count"):
            frames = (ABSENT if shape == "absent" else ABSENT_COUNT)[s["entity"]]
            return [f + " [, |? |- ]{cols}" for f in frames] if s["columns"] and shape == "absent" else frames
        if shape == "both":
            return (
                BOTH_DONE["year" if s["kind"] == "year" else "product", s["negated"]]
                if s["kind"] in ("year", "product")
                else []
            )
        if shape == "beside_average":
            return [BESIDE[0 if s["above"] else 1]] if not s["columns"] else []
        if shape == "distinct":
            return DISTINCT[s["dim"].key]
        if shape == "order_figure":
            return ORDER_FIGURE[s["of"], s["lowest"]]
        if shape == "top_orders":
            return (
                [
                    f + tail
                    for f in TOP_ORDERS[s["lowest"]]
                    for tail in {
                        "nothing": [""],
                        "only": [", tylko numer", ", samo id"],
                        "both": [", numer i wartość", "z wartością"],
                    }[s["said"]]
                ]
                if s["n"] == 1 and s["of"] == "value"
                else []
            )
        if shape in ("orders_over", "orders_over_count") and s["of"] == "value":
            s["how"] = "below" if s["lowest"] else "above"
            if shape == "orders_over":
                return [
                    f + tail
                    for f in ORDERS_OVER
                    for tail in {
                        "nothing": [""],
                        "only": [", tylko numery"],
                        "both": [", numer i wartość", "z wartością"],
                    }[s["said"]]
                ]
            return ORDERS_OVER_COUNT
        return LOOKUP.get(shape, [])

    def _can_say(self, pattern: str) -> bool:
        kinds = {f.kind for f in self.left if f.how == "is"}
        goods = bool(kinds & {"product", "category"})
        key = self.slots["measure"].key if "measure" in self.slots else ""
        needs = {"{revenue}": key == "revenue", "{cg}": key in COUNTED_GENITIVE, "{cat}": any(f.kind == "category" and f.how == "is" for f in self.left),
                 "{prod}": any(f.kind == "product" and f.how == "is" for f in self.left), "{who}": "customer" in kinds, "{status}": True, "{signup}": any(f.kind == "signup" for f in self.left), "{thing}": goods,
                 "{partg}": self.query.shape == "share" and self.slots["part"].kind == "status"}  # fmt: skip
        if (
            self.query.shape == "share"
            and ("{status}" in pattern or "{a2}" in pattern)
            and self.slots["part"].kind != "status"
        ):
            return False
        if self.query.shape == "share" and self.slots["part"].kind == "status" and "{part}" in pattern:
            return False
        return all(met for slot, met in needs.items() if slot in pattern)

    def _holes(self) -> dict[str, Callable[[], str]]:
        s, rng = self.slots, self.rng

        def dim(which: str, part: int) -> Callable[[], str]:
            return lambda: self.say(DIMS[s[which].key][part])

        return {
            "revenue": lambda: "", "cg": lambda: self.say(COUNTED_GENITIVE[s["measure"].key]), "cat": lambda: self._good("category"), "prod": lambda: self._good("product"),
            "f": self._rest, "a": self._before, "a1": self._before_one,
            "m": lambda: self._noun(s["measure"], 0), "ma": lambda: self._noun(s["measure"], 1),
            "mg": lambda: fill(self.say(GENITIVE[s["measure"].key]), {"a": self._before}),
            "q": lambda: fill(self.say(rng.choice(COUNTED[s["measure"].key])), {"a": self._before}),
            "dg": dim("dim", 0), "dg2": dim("dim2", 0), "dpa": dim("dim", 4), "dpa2": dim("dim2", 4), "each": dim("dim", 1), "eachl": dim("dim", 2),
            "d": dim("dim", 3), "dp": dim("dim", 4), "dgp": dim("dim", 5),
            "most": lambda: fill(self.say(MOST[s["measure"].key][s["lowest"]]), {"a": self._before}),
            "mosta": lambda: fill(self.say(MOST_ACC[s["measure"].key][s["lowest"]]), {"a": self._before}),
            "n": lambda: NUMBER_WORDS[s["n"]] if s["n"] in NUMBER_WORDS and rng.random() < 0.35 else str(s["n"]),
            "more": lambda: self.say(MORE[s["how"]]), "t": lambda: str(s["threshold"]), "counted": lambda: self.say(COUNTED_GENITIVE[s["measure"].key]),
            "values": lambda: self.say("[ i | vs | a | oraz ]").join(self._named(s["dim"].key, value) for value in s["compared"]),
            "part": lambda: self._suffix(s["part"]), "partg": lambda: f"zamówienia {STATUS_PLURAL[s['part'].value]}", "a2": lambda: STATUS_BEFORE[s["part"].value],
            "status": lambda: s["part"].value,
            "cols": lambda: self.say("[ i |, | oraz ]").join(self.say(COLUMNS[s["entity"]][column]) for column in s["columns"]),
            "tg": lambda: self.say(THINGS[s["entity"]][0]), "tn": lambda: self.say(THINGS[s["entity"]][1]),
            "who": lambda: self._take("customer").value, "thing": lambda: self._goods(),
            "signup": lambda: self._period(self._take("signup")), "far": lambda: " ".join(self._suffix(f) for f in s["far"]),
            "one": lambda: str(s["done"][0].value[0] if s["kind"] == "year" else s["done"][0].value),
            "two": lambda: str(s["done"][1].value[0] if s["kind"] == "year" else s["done"][1].value),
            "v": lambda: s["value"],
        }  # fmt: skip

    def say(self, pattern: str) -> str:
        return expand(pattern, self.rng)

    def _take(self, *kinds: str) -> Filter:
        chosen = next(f for f in self.left if f.kind in kinds)
        self.left.remove(chosen)
        return chosen

    def _goods(self) -> str:
        return self._take("product", "category").value

    def _noun(self, measure: Measure, case: int) -> str:
        return fill(self.say(self.rng.choice(NOUNS[measure.key])[case]), {"a": self._before, "a1": self._before_one})

    def _before(self) -> str:
        status = next((f for f in self.left if f.kind == "status" and f.how == "is"), None)
        if status is None or self.rng.random() < 0.25:
            return ""
        self.left.remove(status)
        return STATUS_BEFORE[status.value] if self.query.shape != "listed" else STATUS_PLURAL[status.value]

    def _before_one(self) -> str:
        status = next((f for f in self.left if f.kind == "status" and f.how == "is"), None)
        if status is None or self.rng.random() < 0.25:
            return ""
        self.left.remove(status)
        return STATUS_ONE[status.value]

    def _named(self, kind: str, value: str) -> str:
        return self.say(CHANNEL_NAMES[value]) if kind == "channel" else value

    def _rest(self) -> str:
        said = [self._suffix(f) for f in self.left]
        self.left.clear()
        return " ".join(said)

    def _good(self, kind: str) -> str:
        chosen = next(f for f in self.left if f.kind == kind and f.how == "is")
        self.left.remove(chosen)
        return str(chosen.value)

    def _suffix(self, f: Filter) -> str:
        if f.kind == "date":
            return self._period(f)
        if f.kind == "signup":
            return self.say("[zarejestrowani|którzy zarejestrowali się|zapisani|z rejestracją]") + " " + self._period(f)
        if f.kind == "price":
            return self._price(f)
        if f.how == "compared":
            return ""
        if f.how == "in":
            return (
                self.say({"city": "[z|w]", "country": "[z|w]"}.get(f.kind, "[z|dla]"))
                + f" {', '.join(f.value[:-1])} {self.rng.choice(['lub', 'albo', 'i', 'oraz'])} {f.value[-1]}"
            )
        if f.how in ("not", "not_in"):
            named = [f.value] if f.how == "not" else list(f.value)
            if f.kind == "status" and self.rng.random() < 0.6:
                named = [STATUS_BEFORE[value] for value in named]
                front = "[bez|poza|oprócz|z wyłączeniem|nie licząc|z pominięciem|z wyjątkiem] "
                return self.say(front) + " i ".join(named) + self.say(" [zamówień|]")
            return self.say("[poza|oprócz|z wyjątkiem|bez|nie licząc|z wyłączeniem]") + " " + " i ".join(named)
        if f.kind in ("city", "country"):
            if f.value in PLACES and self.rng.random() < 0.6:
                of, at = PLACES[f.value]
                return self.say(f"[z {of}|z {of}|w {at}]")
            noun = {"city": ("miasta", "mieście"), "country": ("kraju", "kraju")}[f.kind]
            return self.say(f"[z {noun[0]}|w {noun[1]}|z|dla {noun[0]}|w]") + " " + f.value
        return {
            "segment": lambda: self.say("[z segmentu|w segmencie|dla segmentu] ") + f.value,
            "category": lambda: self.say("[z kategorii|w kategorii|dla kategorii] ") + (CATEGORIES[f.value] if f.value in CATEGORIES and self.rng.random() < 0.3 else f.value),
            "product": lambda: self.say("[produktu|dla produktu|z produktem] ") + f.value,
            "customer": lambda: self.say("[klienta|dla klienta|przez klienta] ") + f.value,
            "status": lambda: self.say(f"[ze statusem {f.value}|o statusie {f.value}|({f.value})|w statusie {f.value}|ze statusem {f.value}]"),
            "channel": lambda: self.say(CHANNELS[f.value]),
        }[f.kind]()  # fmt: skip

    def _price(self, f: Filter) -> str:
        if f.how == "between":
            return self.say(
                f"[w cenie od {f.value[0]} do {f.value[1]}|z ceną między {f.value[0]} a {f.value[1]}|kosztujące od {f.value[0]} do {f.value[1]}]"
            )
        words = {"above": "[droższe niż|powyżej|kosztujące więcej niż|z ceną powyżej|w cenie powyżej|z ceną wyższą niż]", "below": "[tańsze niż|poniżej|kosztujące mniej niż|z ceną poniżej|w cenie poniżej|z ceną niższą niż]",
                 "at_least": "[kosztujące co najmniej|z ceną co najmniej]", "at_most": "[kosztujące najwyżej|z ceną najwyżej|do]"}[f.how]  # fmt: skip
        return f"{self.say(words)} {f.value}" + self.rng.choice(["", "", "", " zł", " euro"])

    def _period(self, f: Filter) -> str:
        v, how = f.value, f.how
        if how == "compared":
            return ""
        if how == "year":
            return self.say(
                f"[w {v[0]} roku|w {v[0]} roku|w roku {v[0]}|w {v[0]}|za {v[0]} rok|z {v[0]} roku|w {v[0]} r.|{v[0]}]"
            )
        if how == "years":
            return self.say(
                f"[od {v[0]} do {v[1]} roku|w latach {v[0]}-{v[1]}|między {v[0]} a {v[1]} rokiem|w latach od {v[0]} do {v[1]}]"
            )
        if how == "month" or (how == "months" and v[1] == v[2]):
            return self.say(
                f"[w {MONTHS_IN[v[1] - 1]} {v[0]}|w {MONTHS_IN[v[1] - 1]} {v[0]} roku|za {MONTHS_IN[v[1] - 1][:0]}{v[0]}-{v[1]:02}|w {v[0]}-{v[1]:02}]"
            )
        if how == "months":
            return self.say(
                f"[od {MONTHS_OF[v[1] - 1]} do {MONTHS_OF[v[2] - 1]} {v[0]}|od {MONTHS_OF[v[1] - 1]} do {MONTHS_OF[v[2] - 1]} {v[0]} roku]"
            )
        if how == "quarter":
            number = v[1] - 1
            return self.say(
                f"[w {['pierwszym', 'drugim', 'trzecim', self.rng.choice(['czwartym', 'ostatnim'])][number]} kwartale {v[0]}|w {['I', 'II', 'III', 'IV'][number]} kwartale {v[0]}|w Q{v[1]} {v[0]}|w {v[1]} kwartale {v[0]}] [roku|]"
            )
        if how == "half":
            return self.say(f"w {['pierwszej', 'drugiej'][v[1] - 1]} połowie {v[0]} [roku|]")
        if how == "days":
            return self.say(f"[od {self._day(v[0])} do {self._day(v[1])}|między {self._day(v[0])} a {self._day(v[1])}]")
        edge = (
            self._day(v[0])
            if how.endswith("_day")
            else f"{MONTHS_OF[v[1] - 1]} {v[0]}"
            if how.endswith("_month")
            else f"{v[0]} roku"
        )
        if how.startswith("before") and how == "before":
            return f"przed {v[0]} rokiem" if self.rng.random() < 0.6 else f"przed rokiem {v[0]}"
        if how in ("before_month", "after_month"):
            return self.say(f"przed początkiem {edge}" if how == "before_month" else f"po końcu {edge}")
        return self.say(
            {
                "since": "[od|od początku] @",
                "after": "po @",
                "since_month": "[od|od początku] @",
                "since_day": "od @",
                "before_day": "przed @",
                "after_day": "po @",
                "on_day": "[dnia|w dniu] @",
            }[how]
        ).replace("@", edge)

    def _day(self, day: date) -> str:
        return self.rng.choice([day.isoformat(), f"{day.day} {MONTHS_OF[day.month - 1]} {day.year}"])

    def _noise(self, text: str) -> str:
        rng = self.rng
        text = text.strip(" ,:-")
        if rng.random() < 0.2:
            text = f"{expand(rng.choice(CHATTER if rng.random() < 0.5 else SMALL_TALK), rng)} {text}"
        if rng.random() < 0.08:
            text += " " + expand(rng.choice(AFTERTHOUGHT), rng)
        asks = re.match(r"(ile|ilu|jak|który|która|które|kto|kiedy|z ilu|w ilu|co |w który|w jak|z jak|do jak)", text)
        text += rng.choice(["?", "?", "?", ""] if asks else [".", "", "", ""])
        text = re.sub(r"\s+([,.?:])", r"\1", re.sub(r"\s+", " ", text))
        draw = rng.random()
        if draw < 0.65:
            text = text[:1].upper() + text[1:]
        elif draw < 0.8:
            text = text.lower()
        return plain(text) if rng.random() < 0.3 else text


def plain(text: str) -> str:
    """`text` without diacritics, as typed in a hurry."""
    text = text.replace("ł", "l").replace("Ł", "L")
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))
