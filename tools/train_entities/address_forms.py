"""Address forms: streets, post codes and whole addresses as people of many countries write them."""
import re

from word_lists import Picker

EN_TAILS = ("Street St St. Avenue Ave Ave. Road Rd Rd. Lane Ln Drive Dr Boulevard Blvd Court Ct Way Place Pl Terrace Close Crescent Square "
            "Parkway Highway Hill Gardens Grove Mews Circle Trail Row Park View").split()
JOINED_TAILS = ("straße strasse str. weg platz gasse allee ring damm straat laan plein gracht dijk kade gatan vägen gränd torget gata veien "
                "vegen gate vej gade allé stræde katu tie kuja polku").split()
BEFORE = {"fr": "rue|Rue|avenue|Avenue|boulevard|place|quai|impasse|chemin|allée|cours|Route".split("|"),
          "it": "Via|via|Viale|Piazza|Corso|Vicolo|Largo|Strada".split("|"),
          "es": "Calle|C/|Avenida|Avda.|Plaza|Paseo|Camino|Carretera|Ronda".split("|"),
          "pt": "Rua|R.|Avenida|Av.|Travessa|Praça|Largo|Alameda|Estrada".split("|"),
          "pl": "ul.|al.|os.|pl.".split("|"), "ro": "Strada|Str.|Bulevardul|Calea".split("|"), "hr": "Ulica|Trg".split("|")}
LINKS = {"fr": ["", "de ", "de la ", "du ", "des ", "d'", "Saint-"], "it": ["", "", "della ", "dei ", "San "], "es": ["", "de ", "de la ", "del "],
         "pt": ["", "da ", "do ", "dos ", "de "], "pl": [""], "ro": [""], "hr": [""]}


class Addresses:
    SLOTS = ("STREETADDR", "STREETNAME", "ADDR", "BLOCK", "QBLOCK", "ZIP", "POBOX")

    def __init__(self, lists, rng, names):
        self.rng, self.names = rng, names
        self.streets = Picker(lists["street"], {"en": 0.3}, rng)

    def digits(self, n):
        return "".join(self.rng.choice("0123456789") for _ in range(n))

    def house(self):
        number = self.rng.randint(1, self.rng.choice([99, 99, 250, 9999]))
        return f"{number}{self.rng.choice(['', '', '', '', '', '', 'A', 'b', '/2', '-' + str(number + 2)])}"

    def proper(self):
        draw = self.rng.random()
        name = (self.names.surname() if draw < 0.4 else self.names.first.draw() if draw < 0.5 else self.names.city.draw() if draw < 0.6
                else self.streets.draw() if draw < 0.85 else self.rng.choice(self.names.words).capitalize())
        return name

    def english(self):
        name = self.streets.draw() if self.rng.random() < 0.3 else self.proper()
        if self.rng.random() < 0.12:
            ordinal = self.rng.randint(1, 120)
            name = f"{ordinal}{'th' if ordinal % 10 not in (1, 2, 3) or 10 < ordinal < 20 else ['st', 'nd', 'rd'][ordinal % 10 - 1]}"
        if not re.search(rf" ({'|'.join(map(re.escape, EN_TAILS))})$", name):
            name += " " + self.rng.choice(EN_TAILS[:9] if self.rng.random() < 0.6 else EN_TAILS)
        if self.rng.random() < 0.1:
            name = self.rng.choice(["N ", "S ", "West ", "East ", "North ", "Old ", "NW "]) + name
        return name

    def foreign(self):
        draw = self.rng.random()
        if draw < 0.35:
            base, tail = self.proper(), self.rng.choice(JOINED_TAILS)
            if self.rng.random() < 0.75:
                return base + tail
            return f"{base}{self.rng.choice(['-', ' '])}{tail.capitalize()}"
        if draw < 0.75:
            language = self.rng.choice(list(BEFORE))
            name = self.names.p()[0][0] if self.rng.random() < 0.35 else self.proper()
            return f"{self.rng.choice(BEFORE[language])} {self.rng.choice(LINKS[language])}{name}"
        if draw < 0.8:
            return self.proper() + self.rng.choice([" utca", " út", " Str.", " sokak", " Caddesi", " Mahallesi", " tee", " iela", " gatvė"])
        return self.streets.draw() if draw < 0.93 else self.names.city.draw()

    def street(self):
        """A street and its number, in the order of its country."""
        draw = self.rng.random()
        if draw < 0.06:
            return self.po_box()
        if draw < 0.08:
            corner = f"{self.foreign()} and {self.foreign()}"
            return self.rng.choice(["", "the corner of ", "corner of "]) + corner + self.rng.choice(["", f" {self.house()}"])
        if draw < 0.5:
            return f"{self.house()} {self.english()}"
        street = self.foreign()
        if draw < 0.8:
            return f"{street}{self.rng.choice([' ', ' ', ' ', ', '])}{self.house()}"
        if draw < 0.9:
            return f"{self.house()}{self.rng.choice([' ', ', '])}{street}"
        return f"{self.house()} {street} {self.house()}"

    def po_box(self):
        return self.rng.choice(["P.O. Box {}", "PO Box {}", "P.O. Box {}", "Postfach {}", "Box {}", "BP {}", "Apartado {}"]).format(self.rng.randint(1, 9999))

    def unit(self):
        return self.rng.choice(["Apt. {}", "Apt {}", "Suite {}", "Unit {}", "Flat {}", "#{}", "Floor {}", "Apartment {}", "Room {}"]).format(
            self.rng.randint(1, self.rng.choice([40, 999])))

    def zip_code(self):
        r, d = self.rng, self.digits
        letter = lambda n=1: "".join(r.choice("ABCDEFGHJKLMNPRSTWXY") for _ in range(n))
        draw = r.random()
        if draw < 0.55:
            return d(5)
        return r.choice([d(5) + "-" + d(4), f"{letter(r.choice([1, 2]))}{d(r.choice([1, 2]))} {d(1)}{letter(2)}", f"{letter()}{d(1)}{letter()} {d(1)}{letter()}{d(1)}",
                         f"{d(4)} {letter(2)}", f"{d(3)} {d(2)}", f"{d(2)}-{d(3)}", d(4), f"{d(4)}-{d(3)}", f"{d(5)}-{d(3)}", f"{d(3)}-{d(4)}", d(6)])

    def parts(self):
        """Street, unit, city, region, code as [(text, type)] lines; a line may have two."""
        r = self.rng
        city = self.names.city.draw()
        city = city.upper() if r.random() < 0.2 else city
        region = (self.names.country.draw() if r.random() < 0.5 else self.names.state.draw() if r.random() < 0.4
                  else r.choice("AL AK AZ CA CO FL GA HI IL IN KS LA MA MD ME MI MN MO NC NE NH NJ NV NY OH OR PA SC TN TX UT VA VT WA WI WY ON BC".split()))
        street = self.street()
        unit = self.unit() if r.random() < 0.5 else None
        return street, unit, city, region, self.zip_code()

    def address(self):
        r = self.rng
        street, unit, city, region, code = self.parts()
        if r.random() < 0.04:
            return f"Unit {self.digits(4)} Box {self.digits(4)}\n{r.choice(['DPO', 'APO', 'FPO'])} {r.choice(['AA', 'AE', 'AP'])} {self.digits(5)}"
        head = street if unit is None else f"{street}{r.choice([', ', ' ', chr(10), chr(10) + ' '])}{unit}"
        if r.random() < 0.15:
            return head
        gap = r.choice([", ", ", ", ", ", "\n", "\n", " ", "\n "])
        tail = r.choice([f"{city}{gap}{region} {code}", f"{city}, {region} {code}", f"{code} {city}", f"{city} {code}", f"{city}", f"{city}{gap}{code}{gap}{region}",
                         f"{code} {city}{gap}{region}", f"{city}{gap}{region}", f"{city}\n, {region}\n {code}"])
        return f"{head}{gap}{tail}"

    def block(self, lead):
        r = self.rng
        street, unit, city, region, code = self.parts()
        lines = [[(street, "ADDRESS")]]
        if r.random() < 0.3:
            lines = [[(f"{self.digits(2)} {street}", "ADDRESS")]]
        if unit and r.random() < 0.15:
            lines = [[(f"{unit} {street}", "ADDRESS")]]
        elif unit:
            lines.append([(unit, "ADDRESS")])
        place, area, post = (city, "LOCATION"), (region, "LOCATION"), (code, "ADDRESS")
        lines += r.choice([[[place], [area, (" ", None), post]], [[place, (", ", None), area, (" ", None), post]], [[post, (" ", None), place], [area]],
                           [[place], [post], [area]], [[post, (" ", None), place]], [[place], [area, (" ", None), post]],
                           [[place, (" ", None), area, (" ", None), post]], [[place], [], [area, (" ", None), post]]])
        pieces = []
        for i, line in enumerate(lines):
            pieces += ([("\n" + lead, None)] if i else []) + line
        return pieces

    def slot(self, slot):
        if slot == "BLOCK":
            return self.block(self.rng.choice(["", "", " ", "  "]))
        if slot == "QBLOCK":
            return self.block(self.names.lead)
        if slot == "STREETNAME":
            return [(self.english() if self.rng.random() < 0.6 else self.foreign(), "ADDRESS")]
        text = {"STREETADDR": self.street, "ADDR": self.address, "ZIP": self.zip_code, "POBOX": self.po_box}[slot]()
        if slot == "STREETADDR" and self.rng.random() < 0.2:
            text += self.rng.choice([", ", " "]) + self.unit()
        return [(text, "ADDRESS")]
