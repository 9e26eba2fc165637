// Writes the names and places of every locale of @faker-js/faker as JSON. usage: node faker_lists.mjs > faker.json
import { allLocales } from "@faker-js/faker";

const lists = {};
for (const [locale, data] of Object.entries(allLocales)) {
  lists[locale] = { person: data.person, location: data.location };
}
process.stdout.write(JSON.stringify(lists));
