"""Word lists: what no package has, and drawing from lists of many locales."""
import re

WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
TITLES = "Mr. Mr Mrs. Mrs Ms. Ms Miss Dr. Dr Prof. Professor Sir Madam Herr Frau Señor Mme M. mr. mrs. ms. MR. MRS.".split()
# Common family names of China, Korea, Vietnam, India, Arabia and Africa in Latin letters, which the packages have few of.
SURNAMES = ("Wang Li Zhang Liu Chen Yang Huang Zhao Wu Zhou Xu Sun Ma Zhu Hu Guo He Lin Gao Luo Zheng Liang Xie Tang Cao Deng Xiao "
            "Feng Zeng Cheng Cai Peng Pan Yuan Yu Dong Su Ye Wei Jiang Tian Du Ding Shen Fan Fu Zhong Lu Wong Chan Cheung Lam Ng Kwok "
            "Lee Kim Park Choi Jung Kang Cho Yoon Jang Lim Han Oh Seo Shin Kwon Hwang Ahn Song Hong Nguyen Tran Le Pham Huynh Hoang "
            "Phan Vu Vo Dang Bui Do Ho Ngo Duong Ly Patel Singh Kumar Sharma Gupta Reddy Rao Iyer Nair Mehta Shah Khan Ahmed Hussain "
            "Malik Chaudhry Ali Hassan Ibrahim Mohamed Abdullah Al-Farsi Haddad Khoury Mansour Okafor Okonkwo Adeyemi Mensah Diallo "
            "Traore Nkosi Dlamini Mwangi Otieno Abebe Tesfaye Banda Phiri").split()
JOBS = ("accountant actor administrator architect baker barber bookkeeper bricklayer bus driver butcher carpenter cashier chemist chief "
        "executive,civil engineer,clerk,computer operator,cook,counselor,dancer,data analyst,dental hygienist,dentist,designer,"
        "director,director of finance,economist,editor,electrician,farmer,financial adviser,firefighter,fisherman,flight attendant,"
        "gardener,general manager,geologist,hairdresser,head of sales,historian,insurance agent,interpreter,janitor,journalist,judge,"
        "laboratory technician,lawyer,lecturer,legal assistant,librarian,machine operator,mail carrier,manager,mechanic,metal worker,"
        "midwife,musician,network technician,nurse,office clerk,optician,painter,paramedic,pharmacist,photographer,physicist,pilot,"
        "plumber,police officer,president,producer,product manager,professor,project manager,psychologist,radio operator,realtor,"
        "receptionist,researcher,sales representative,scientist,secretary,security guard,senior engineer,social worker,software "
        "developer,spokesman,spokeswoman,supervisor,surgeon,tailor,tax inspector,teacher,technical writer,training coordinator,"
        "translator,truck driver,veterinarian,vice president,waiter,warehouse worker,web developer,welder,writer")
JOBS = [job.strip() for job in JOBS.replace("accountant actor administrator architect baker barber bookkeeper bricklayer bus driver "
        "butcher carpenter cashier chemist chief executive", "accountant,actor,administrator,architect,baker,barber,bookkeeper,"
        "bricklayer,bus driver,butcher,carpenter,cashier,chemist,chief executive").split(",")]
BRANDS = ("Google,Apple,Amazon,Microsoft,IBM,Intel,Oracle,Netflix,Facebook,Twitter,Tesla,Toyota,Honda,Ford,General Motors,Chrysler,"
          "Volkswagen,Siemens,Nokia,Samsung,Sony,Philips,Walmart,Target,Costco,Ikea,Starbucks,McDonald's,Coca-Cola,Pepsi,Nike,Adidas,"
          "Visa,Mastercard,American Express,PayPal,Chase,Wells Fargo,Barclays,HSBC,Lloyds,Santander,Revolut,Deutsche Bank,Goldman Sachs,"
          "Morgan Stanley,JPMorgan,Citibank,BBC,CNN,NBC,ABC,FIFA,NATO,UNESCO,WHO,FBI,NASA,EU,UN,U.S. Army,Red Cross,Harvard,Stanford,MIT,"
          "Oxford University,Mayo Clinic,Johns Hopkins,Pfizer,Bayer,Novartis,Roche,Blue Cross,Aetna,UnitedHealth,DHL,FedEx,UPS,Lufthansa,"
          "Delta,Ryanair,EasyJet,Uber,Airbnb,Spotify,YouTube,Reuters,Bloomberg,New York Times,Warner Bros,Columbia Records,RCA,EMI,Motown,"
          "Decca,Red Bull,Manchester United,Real Madrid,Los Angeles Lakers,Boston Red Sox").split(",")
ORG_TAILS = ("Ltd. Ltd Inc. Inc LLC PLC GmbH AG Group Bank Company Corp. Corporation Partners Associates Brothers Sons Systems Technologies "
             "Solutions Media Records Hospital Clinic Foundation Institute Insurance Holdings Labs Studios Services College").split()


CURRENCIES = ("USD,EUR,GBP,AUD,CHF,JPY,CAD,Euro,Euros,Dollar,Dollars,US Dollars,Russian Ruble,Swiss Franc,British Pounds,Indian Rupees,"
              "Mexican Peso,Bitcoin,Ethereum,Sterling,Yen,Swedish Krona,Chinese Yuan,Turkish Lira,AED,INR,RUB").split(",")
NATIONS = ("American British English Irish Scottish French German Dutch Belgian Swiss Austrian Italian Spanish Portuguese Polish Czech Slovak "
           "Hungarian Romanian Bulgarian Greek Turkish Russian Ukrainian Swedish Norwegian Danish Finnish European Asian African Indian Chinese "
           "Japanese Korean Thai Vietnamese Mexican Brazilian Canadian Australian Egyptian Arab Israeli Jewish Christian Muslim Latin Hispanic "
           "Caucasian").split()
NOISE = ["\u00e2\u20ac\u201c", "\u00e2\u20ac\u2122", "\u05d2\u20ac\u201c", "\u05d2\u20ac\u2122", "\u00c2", "\ufffd", "\u2013", "\u2014", "--", "\u2026"]  # dashes read in a wrong encoding
# On name lists, yet ordinary in what people write.
ORDINARY = set("ve aren visa mastercard atm usd eur gbp aud ok hi pin doctor patient guest mom dad american european british english".split())


# Parts of made-up brand names, and of Japanese family names.
COINED = ("ac ad al am an ap ar at ax bio bri cal cap car ce clo co cru dat de di do dyn ed el en er ev ex fac fi fin flo gen gi glo go gra "
          "hel hub in ing io jo ka kin ko lo lu lum ma med mer met mi mo mu na net neo no nu oc om on op or os ov pa pay per pi po pre qua "
          "quo ra re ri ro sa sen si so sol sta sun sy ta tech ter ti to tra tri tro u ul un up va ve vi vo wa we wi xo ya za ze zo").split()
JAPANESE = ("ta naka yama moto kawa shima mura saki da hara no ishi mori matsu taka naga kita nishi ue mi yoshi fuji ike ike ban tani kubo "
            "kuro shiro ao aka ita koma sugi suzu tsuka miya hashi be zuka mizu uchi oka sawa taki hira wata ku do haya fuku toku oku").split()


def words_of(name):
    return [w.lower() for w in re.findall(r"[^\W\d_]+", name)]


def script_of(name):
    """The script of the first letter: latin, greek, cyrillic or other."""
    code = ord(name[0])
    return "latin" if code < 0x250 or 0x1e00 <= code < 0x1f00 else "greek" if code < 0x400 else "cyrillic" if code < 0x530 else "other"


class Picker:
    """Draws a name: first a locale by weight, then one of its names. Greek and Cyrillic are rare, other scripts rarer."""

    SCRIPT_WEIGHTS = {"latin": 1.0, "greek": 0.5, "cyrillic": 0.15, "other": 0.02}

    def __init__(self, by_locale, shares, rng):
        self.rng, self.names, self.weights = rng, [], []
        rest = 1 - sum(share for locale, share in shares.items() if by_locale.get(locale))
        others = []
        for locale, names in by_locale.items():
            for script, weight in self.SCRIPT_WEIGHTS.items():
                group = [n for n in names if script_of(n) == script]
                if len(group) < 5:
                    continue
                self.names.append(group)
                share = shares.get(locale) if script == "latin" else None
                self.weights.append(share or 0.0)
                if not share:
                    others.append((len(self.names) - 1, weight * min(len(group), 300) / 300))
        total = sum(weight for _, weight in others)
        for i, weight in others:
            self.weights[i] = rest * weight / total
        self.cumulative = []
        for weight in self.weights:
            self.cumulative.append(weight + (self.cumulative[-1] if self.cumulative else 0))

    def draw(self):
        group = self.rng.choices(self.names, cum_weights=self.cumulative)[0]
        return self.rng.choice(group)
