#!/usr/bin/env python3
"""Training texts: templates filled with names, places and addresses, and plain texts without any.

usage: make_texts.py [--count N] [--seed N] [--plain FOLDER] [--folder FOLDER]
Reads lists.json (name_lists.py) and writes texts.jsonl, one {"text", "spans": [{"byte_start", "byte_end", "type"}]} a
line, and words.tsv, one word or pair of words with the lists it is on. Same seed, same bytes.

A template is a line of templates/*.txt; its slots: P a person in some form, F first and L last name, N any of these,
LF "Last, First", TP with a title, DR a doctor, ORG, JOB; LOC = CITY, STATE or COUNTRY; STREETADDR a street and number,
STREETNAME a street, ADDR a whole address (one span), BLOCK an address over lines (a span for each part), QBLOCK the
same with the lead of its line before each, ZIP, POBOX; the others are numbers and dates. Slots may end in a digit.
"""
import argparse
import csv
import json
import os
import random
import re
import sys
from collections import Counter

from address_forms import Addresses
from word_lists import (BRANDS, COINED, CURRENCIES, JAPANESE, JOBS, MONTHS, NATIONS, NOISE, ORDINARY, ORG_TAILS, SURNAMES,
                        TITLES, WEEKDAYS, Picker, script_of, words_of)

HERE = os.path.dirname(os.path.abspath(__file__))
LEADS = [">", "> ", ">> ", "??? ", "| ", "* ", "- ", "# ", "\t", "    "]
SLOT = re.compile(r"\{([A-Z]+)\d?\}")


class Filler:
    def __init__(self, lists, rng):
        self.rng, self.lead = rng, "> "
        self.first = Picker(lists["first"], {"en": 0.5}, rng)
        self.last = Picker(lists["last"], {"en": 0.25, "ja_latin": 0.04, "ru_latin": 0.04}, rng)
        self.city = Picker(lists["city"], {"geo_en": 0.35, "en": 0.1}, rng)
        self.country = Picker(lists["country"], {"en": 0.9}, rng)
        self.state = Picker(lists["state"], {"en": 0.7}, rng)
        self.words = lists["word"]["en"]
        self.addresses = Addresses(lists, rng, self)

    # Each returns [(text, type or None)].
    def f(self):
        return [(self.first.draw(), "PERSON")]

    def l(self):
        return [(self.surname(), "PERSON")]

    def surname(self):
        name = self.rng.choice(SURNAMES) if self.rng.random() < 0.1 else self.last.draw()
        draw = self.rng.random()
        if draw < 0.02:
            return (self.rng.choice(JAPANESE) + self.rng.choice(JAPANESE)).capitalize()
        if draw < 0.04:
            return f"{name}-{self.last.draw()}"
        if draw < 0.075:
            return self.rng.choice(["van ", "van der ", "de ", "von ", "di ", "al-", "O'", "Mc", "St. ", "de la ", "El "]) + name
        return name

    def p(self):
        first, last, draw = self.first.draw(), self.surname(), self.rng.random()
        if draw < 0.72:
            name = f"{first} {last}"
        elif draw < 0.78:
            name = f"{first} {self.initial()} {last}"
        elif draw < 0.82:
            name = f"{self.initial()} {last}"
        elif draw < 0.85:
            name = f"{first} {self.first.draw()} {last}"
        elif draw < 0.87:
            name = f"{first}-{self.first.draw()} {last}"
        elif draw < 0.93:
            name = first
        else:
            name = last
        if self.rng.random() < 0.05:
            name = name.upper()
        if self.rng.random() < 0.03:
            name += self.rng.choice([" Jr.", " Sr.", " II", " III", " MD", " PhD", " DDS", ", MD", " Esq."])
        return [(name, "PERSON")]

    def initial(self):
        return self.rng.choice("ABCDEFGHIJKLMNOPRSTVW") + ("." if self.rng.random() < 0.8 else "")

    def n(self):
        draw = self.rng.random()
        return self.f() if draw < 0.42 else self.l() if draw < 0.65 else self.p()

    def lf(self):
        return [(f"{self.surname()}, {self.first.draw()}" + (f" {self.initial()}" if self.rng.random() < 0.3 else ""), "PERSON")]

    def tp(self):
        return [(self.rng.choice(TITLES) + " ", None)] + (self.l() if self.rng.random() < 0.6 else self.p())

    def dr(self):
        return [(self.rng.choice(["Dr. ", "Dr ", "Doctor ", "dr. "]), None)] + self.l()

    def org(self):
        draw = self.rng.random()
        if draw < 0.25:
            name = self.rng.choice(BRANDS)
        elif draw < 0.5:
            name = f"{self.surname()} {self.rng.choice(ORG_TAILS)}"
        elif draw < 0.58:
            name = f"{self.surname()}{self.rng.choice([' & ', ' and ', '-', ', '])}{self.surname()}"
            name += self.rng.choice(["", "", f" {self.rng.choice(ORG_TAILS)}", f" and {self.surname()}"])
        elif draw < 0.66:
            name = self.rng.choice(["University of {}", "{} University", "Bank of {}", "{} General Hospital", "{} Medical Center",
                                    "{} City Council", "{} High School", "{} FC"]).format(self.city.draw())
        elif draw < 0.72:
            name = self.coined()
        elif draw < 0.8:
            name = self.rng.choice(self.words).capitalize() + self.rng.choice(["ly", "ify", "soft", "tech", "bot", "hub", "data", "Flow", "io"])
        else:
            name = " ".join(self.rng.choice(self.words).capitalize() for _ in range(self.rng.choice([1, 2, 2, 3])))
            name += self.rng.choice(["", " " + self.rng.choice(ORG_TAILS)])
        return [(name, "ORGANIZATION")]

    def coined(self):
        """A made-up brand: syllables, one or two capitals."""
        parts = [self.rng.choice(COINED) for _ in range(self.rng.choice([2, 2, 3]))]
        name = "".join(parts).capitalize() + self.rng.choice(["", "", "", "a", "ics", "ia", "ly", "r", "x", "Labs"])
        return name

    def thing(self):
        """A title of a song, book or product: words with capitals that name nobody."""
        count = self.rng.choice([1, 1, 2, 2, 3, 4])
        words = [self.rng.choice(self.words).capitalize() for _ in range(count)]
        if count > 1 and self.rng.random() < 0.4:
            words[0] = self.rng.choice(["The", "My", "A", "No", "Your", "All"])
        if count > 2 and self.rng.random() < 0.4:
            words[-2] = self.rng.choice(["of", "and", "in", "the"])
        return [(" ".join(words) + self.rng.choice(["", "", "", "", "s"]), None)]

    def job(self):
        job = self.rng.choice(JOBS)
        return [(job if self.rng.random() < 0.5 else job.capitalize(), None)]

    def place(self, picker):
        name = picker.draw()
        return [(name.upper() if self.rng.random() < 0.06 else name, "LOCATION")]

    def loc(self):
        draw = self.rng.random()
        return self.place(self.city if draw < 0.5 else self.country if draw < 0.88 else self.state)

    def number(self, low, high):
        return str(self.rng.randint(low, high))

    def date(self):
        r = self.rng
        day, month, year = r.randint(1, 28), r.randint(1, 12), r.randint(1930, 2026)
        name = MONTHS[month - 1]
        return r.choice([f"{month:02}/{day:02}/{year}", f"{year}-{month:02}-{day:02}", f"{day}.{month}.{year}", f"{name} {day}, {year}",
                         f"{day} {name} {year}", f"{name[:3]} {day}", f"{name} {day}th", f"{day}/{month}/{year % 100:02}"])

    def plain_slot(self, slot):
        r = self.rng
        digits = lambda n: "".join(r.choice("0123456789") for _ in range(n))
        return {
            "NUM": lambda: digits(r.choice([4, 5, 6, 8])), "SMALL": lambda: self.number(1, 99), "AGE": lambda: self.number(1, 95),
            "YEAR": lambda: self.number(1950, 2026), "DATE": self.date, "MONTH": lambda: r.choice(MONTHS),
            "ACR": lambda: "".join(r.choice("ABCDEFGHIKLMNOPRSTUVW") for _ in range(r.choice([2, 3, 3, 3, 4]))),
            "CURRENCY": lambda: r.choice(CURRENCIES), "NATION": lambda: r.choice(NATIONS), "NOISE": lambda: r.choice(NOISE),
            "WEEKDAY": lambda: r.choice(WEEKDAYS), "TIME": lambda: r.choice([f"{r.randint(1, 12)}:{digits(1)}5", f"{r.randint(1, 12)} pm", "noon"]),
            "AMOUNT": lambda: r.choice(["${}", "{} dollars", "{} EUR", "£{}", "€{}"]).format(self.number(1, 5000)),
            "CARD": lambda: r.choice([digits(16), " ".join(digits(4) for _ in range(4))]), "EXP": lambda: f"{r.randint(1, 12):02}/{digits(2)}",
            "PHONE": lambda: r.choice([f"({digits(3)}) {digits(3)}-{digits(4)}", f"+{digits(2)} {digits(3)} {digits(6)}", f"{digits(3)}-{digits(3)}-{digits(4)}", digits(10), f"0{digits(2)} {digits(7)}", f"{digits(3)} {digits(4)}", f"0{digits(3)} {digits(3)} {digits(2)} {digits(2)}", f"{digits(2)}-{digits(2)}-{digits(2)}-{digits(2)}", f"({digits(2)}) {digits(4)}-{digits(4)}", f"0{digits(2)} {digits(3)} {digits(4)}", f"({digits(3)}) {digits(4)}-{digits(3)}", f"+1-{digits(3)}-{digits(3)}-{digits(4)}x{digits(3)}"]),
            "EMAIL": lambda: f"{r.choice(self.words)}{digits(2)}@example.com", "IP": lambda: ".".join(self.number(1, 254) for _ in range(4)),
            "IBAN": lambda: r.choice(["DE", "GB", "FR"]) + digits(20), "SSN": lambda: f"{digits(3)}-{digits(2)}-{digits(4)}", "URL": lambda: r.choice(["http://www.{}.com/", "https://{}.co.uk", "www.{}.org", "http://{}.net/", "{}.com", "https://www.{}.de"]).format(
                self.coined() if r.random() < 0.3 else "".join(r.choice(self.words).capitalize() for _ in range(2))),
            "CODE": lambda: r.choice("ABKLQX") + r.choice("ABHZ") + digits(4),
        }[slot]()

    def fill(self, template):
        pieces, at = [], 0
        template = template.replace("\\n", "\n")
        if template.startswith("> ") and "\n> " in template:
            self.lead = self.rng.choice(LEADS)
            template = "\n".join(self.lead + line[2:] for line in template.split("\n"))
        for match in SLOT.finditer(template):
            pieces.append((template[at:match.start()], None))
            pieces += self.slot(match.group(1))
            at = match.end()
        pieces.append((template[at:], None))
        return pieces

    def slot(self, slot):
        simple = {"P": self.p, "F": self.f, "L": self.l, "N": self.n, "LF": self.lf, "TP": self.tp, "DR": self.dr, "ORG": self.org,
                  "JOB": self.job, "THING": self.thing, "LOC": self.loc, "CITY": lambda: self.place(self.city), "COUNTRY": lambda: self.place(self.country),
                  "STATE": lambda: self.place(self.state)}
        if slot in simple:
            return simple[slot]()
        if slot in self.addresses.SLOTS:
            return self.addresses.slot(slot)
        return [(self.plain_slot(slot), None)]


def joined(pieces, letter_case):
    text, spans = "", []
    for piece, kind in pieces:
        start = len(text.encode())
        text += letter_case(piece)
        if kind:
            spans.append({"byte_start": start, "byte_end": len(text.encode()), "type": kind})
    return {"text": text, "spans": spans}


def plain_texts(folder, lists):
    """Texts of others without names, as far as the lists can tell: one that holds a listed name is left out."""
    known = {w for by in (lists["city"], lists["country"], lists["state"]) for v in by.values() for n in v for w in words_of(n)}
    words = set(lists["word"]["en"])
    names = {w for by in (lists["first"], lists["last"]) for v in by.values() for n in v for w in words_of(n)}
    texts = []
    with open(f"{folder}/banking77/train.csv", encoding="utf-8") as source:
        texts += [row["text"] for row in csv.DictReader(source)]
    bank = {w for text in texts for w in re.findall(r"[^\W\d_]+", text) if w.islower()}  # Places there have capitals.
    with open(f"{folder}/clinc150/data_full.json", encoding="utf-8") as source:
        texts += [row[0] for row in json.load(source)["train"]]
    with open(f"{folder}/mts_dialog/MTS-Dialog-TrainingSet.csv", encoding="utf-8-sig") as source:
        for row in csv.DictReader(source):
            for field in row.values():
                lines = (field or "").splitlines()
                texts += ["\n".join(lines[i:i + 2]) for i in range(0, len(lines), 2)]
    counts = Counter(w for text in texts for w in re.findall(r"[^\W\d_]+", text) if w.islower())
    ordinary = {w for w, n in counts.items() if n >= 15}
    doubtful = ((known - (ordinary & bank)) | (names - ordinary)) - words - ORDINARY
    keep = []
    for text in texts:
        found = re.findall(r"[^\W\d_]+", text)
        titled = re.search(r"\b(Mr|Mrs|Ms|Dr|Miss|Doctor|Nurse)\b\.? [A-Z]", text)
        if text.strip() and not titled and not any(w.lower() in doubtful for w in found):
            keep.append(text[:400])
    return keep


LISTED = {"first": 1, "last": 2, "place": 4, "word": 8}  # as in runtime/privacy/entity_tokens.h
PLACE_LOCALES = "en".split()


def write_words(lists, path):
    """What the model ships hashed: single names, places of one and of two words, plain words."""
    listed = {}

    def add(name, bit):
        words = words_of(name)
        single = len(words) == 1 or bit in (1, 2)
        for key in words if single else [" ".join(words)] if len(words) == 2 and bit == 4 else []:
            if len(key) > 1 and script_of(key) != "other":
                listed[key] = listed.get(key, 0) | bit

    for kind, bit in (("first", 1), ("last", 2), ("word", 8)):
        for names in lists[kind].values():
            for name in names:
                add(name, LISTED[kind])
    for kind in ("city", "country", "state"):
        for locale, names in lists[kind].items():
            if not locale.startswith("geo_") or locale[4:] in PLACE_LOCALES:
                for name in names:
                    add(name, LISTED["place"])
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(f"{word}\t{bits}\n" for word, bits in sorted(listed.items()))
    return len(listed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60000, help="filled templates (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", default="../shared/data", help="folder of banking77, clinc150, mts_dialog; '' for none")
    parser.add_argument("--folder", default="build/train_entities", help="where lists.json is and the output goes")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    try:
        with open(f"{args.folder}/lists.json", encoding="utf-8") as source:
            lists = json.load(source)
        plain = plain_texts(args.plain, lists) if args.plain else []
    except OSError as error:
        sys.exit(f"make_texts.py: {error.filename}: {error.strerror}; README.md says what comes before")
    shares = {"people": 0.45, "places": 0.17, "addresses": 0.24, "plain": 0.14}
    templates = {}
    for name in shares:
        with open(f"{HERE}/templates/{name}.txt", encoding="utf-8") as source:
            templates[name] = [line.rstrip("\n") for line in source if line.strip() and not line.startswith("#")]
    filler = Filler(lists, rng)
    with open(f"{args.folder}/texts.jsonl", "w", encoding="utf-8") as out:
        for _ in range(args.count):
            group = rng.choices(list(shares), list(shares.values()))[0]
            pieces = filler.fill(rng.choice(templates[group]))
            while rng.random() < 0.3:  # Sentences stand together.
                other = rng.choices(list(shares), list(shares.values()))[0]
                pieces += [(rng.choice([" ", " ", "\n", "  "]), None)] + filler.fill(rng.choice(templates[other]))
            draw = rng.random()
            letter_case = str.lower if draw < 0.15 else str.upper if draw < 0.18 else str
            out.write(json.dumps(joined(pieces, letter_case), ensure_ascii=False) + "\n")
        for text in plain:
            out.write(json.dumps({"text": text, "spans": []}, ensure_ascii=False) + "\n")
    count = write_words(lists, f"{args.folder}/words.tsv")
    print(f"{count} listed words; {args.count} filled templates ({sum(map(len, templates.values()))} different), {len(plain)} plain texts")


if __name__ == "__main__":
    main()
