#!/usr/bin/env python3
"""Name lists: first names, last names, places, streets and plain words, read from the packages that README.md names.

usage: name_lists.py [--faker-js FILE] [--out FILE]
Writes one JSON object {list: [strings]}, sorted, without repeats. Standard library only.
"""
import argparse
import gettext
import glob
import json
import os
import re
import sys

PHP_FAKER = "/usr/share/php/Faker/Provider"
GEONAMES = "/usr/share/locale/*/LC_MESSAGES/geonames.mo"
WORDS = "/usr/share/dict/american-english-small"
PHP_LISTS = {  # variable in php-faker -> our list
    "Person.php": {"firstName": "first", "firstNameMale": "first", "firstNameFemale": "first", "lastName": "last",
                   "lastNameMale": "last", "lastNameFemale": "last", "firstNameInfant": "first",
                   "firstKanaNameMale": "first", "firstKanaNameFemale": "first", "lastKanaName": "last"},
    "Address.php": {"cityName": "city", "cityNames": "city", "city": "city", "country": "country", "state": "state", "county": "state",
                    "region": "state", "street": "street", "streetName": "street", "streetNames": "street"},
}
JS_LISTS = {
    "person": {"first_name": "first", "last_name": "last", "middle_name": "first"},
    "location": {"city_name": "city", "country": "country", "state": "state", "county": "state", "street_name": "street"},
}
ARRAY = re.compile(r"static\s+\$(\w+)\s*=\s*(?:\[|array\()(.*?)(?:\]|\));", re.S)
STRING = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")


def from_php(lists):
    for file, wanted in PHP_LISTS.items():
        for path in sorted(glob.glob(f"{PHP_FAKER}/*/{file}")):
            with open(path, encoding="utf-8") as source:
                for name, body in ARRAY.findall(source.read()):
                    if name in wanted:
                        values = [(a or b).replace("\\'", "'") for a, b in STRING.findall(body)]
                        locale = os.path.basename(os.path.dirname(path))
                        lists.setdefault(wanted[name], {}).setdefault(locale[:2], set()).update(values)


def from_js(lists, path):
    with open(path, encoding="utf-8") as source:
        locales = json.load(source)
    for locale, groups in locales.items():
        for group, wanted in JS_LISTS.items():
            for key, target in wanted.items():
                value = (groups.get(group) or {}).get(key)
                parts = value.values() if isinstance(value, dict) else [value]
                for part in parts:
                    if isinstance(part, list):
                        texts = [v for v in part if isinstance(v, str)]
                        lists.setdefault(target, {}).setdefault(locale[:2].lower(), set()).update(texts)


def from_geonames(lists):
    for path in sorted(glob.glob(GEONAMES)):
        locale = path.split("/")[4]
        with open(path, "rb") as source:
            catalog = gettext.GNUTranslations(source)._catalog
        values = {v for v in catalog.values() if isinstance(v, str)}
        keys = {k for k in catalog if isinstance(k, str)}
        for name in values | (keys if locale == "en" else set()):
            lists.setdefault("city", {}).setdefault("geo_" + locale[:2], set()).add(name.split(",")[0].strip())


CYRILLIC = dict(zip("абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґђјљњћџѓќѕў", "a b v g d e zh z i y k l m n o p r s t u f kh ts ch sh "
                    "shch . y . e yu ya yo i yi ye g dj j lj nj c dz gj kj dz u".split()))
KANA = dict(zip("アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲンガギグゲゴザジズゼゾダヂヅデドバビブベボパピプペポ",
                "a i u e o ka ki ku ke ko sa shi su se so ta chi tsu te to na ni nu ne no ha hi fu he ho ma mi mu me mo ya yu yo ra "
                "ri ru re ro wa o n ga gi gu ge go za ji zu ze zo da ji zu de do ba bi bu be bo pa pi pu pe po".split()))


def in_latin(name):
    """Cyrillic (as in passports) and katakana (Hepburn) in Latin letters; nothing for other scripts."""
    if all(c in KANA or c in "ャュョッー" for c in name):
        text = ""
        for c in name:
            if c in "ャュョ":
                text = text[:-1] + ("" if text.endswith(("shi", "chi", "ji")) else "y") + KANA[chr(ord(c) + 1)][1:]
            elif c not in "ッー":
                text += KANA[c]
        return text.capitalize()
    if any(c in CYRILLIC for c in name.lower()) and all(c in CYRILLIC or not c.isalpha() for c in name.lower()):
        return "".join(CYRILLIC.get(c, c) for c in name.lower()).replace(".", "").title()
    return ""


def add_latin(lists):
    for name in ("first", "last"):
        for locale in list(lists[name]):
            latin = {in_latin(value) for value in lists[name][locale]} - {""}
            if latin:
                lists[name][locale + "_latin"] = latin


def clean(name):
    return 2 <= len(name) <= 40 and not re.search(r"[{}#?\d:/\\_()]", name) and name[0].isalpha()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faker-js", default="build/train_entities/faker.json", help="what faker_lists.mjs wrote")
    parser.add_argument("--out", default="build/train_entities/lists.json", help="where to write (default %(default)s)")
    args = parser.parse_args()
    lists = {}
    try:
        from_php(lists)
        from_js(lists, args.faker_js)
        from_geonames(lists)
        add_latin(lists)
        with open(WORDS, encoding="utf-8") as source:
            lists["word"] = {"en": {w for w in source.read().split() if w.isalpha() and w.islower() and len(w) > 1}}
    except OSError as error:
        sys.exit(f"name_lists.py: {error.filename}: {error.strerror}; install the packages that README.md names")
    out = {k: {l: sorted(filter(clean, v)) for l, v in sorted(by.items())} for k, by in sorted(lists.items())}
    with open(args.out, "w", encoding="utf-8") as target:
        json.dump(out, target, ensure_ascii=False)
    for name, by in out.items():
        print(f"{name}: {len(set().union(*by.values()))} in {len(by)} locales")


if __name__ == "__main__":
    main()
