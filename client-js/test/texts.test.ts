import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import ar from "../src/lang/ar.ts";
import de from "../src/lang/de.ts";
import es from "../src/lang/es.ts";
import fr from "../src/lang/fr.ts";
import it_ from "../src/lang/it.ts";
import pl from "../src/lang/pl.ts";
import pt from "../src/lang/pt.ts";
import { END_REASONS } from "../src/codes.ts";
import { LANGUAGES } from "../src/files.ts";
import { explanationOf, tagOf, textsFrom, timeOf } from "../src/ui/texts.ts";
import { clockFace, spokenTime } from "../src/ui/warning.ts";
import { endFor } from "./world.ts";

const all = { ar, de, es, fr, it: it_, pl, pt };
const REASONS = [...END_REASONS, "logout_other"].sort();

describe("languages", () => {
  it("are all known to the script", () => {
    const files = readdirSync("src/lang").map((file) => file.replace(".ts", ""));
    assert.deepEqual(files.sort(), [...LANGUAGES]);
    assert.deepEqual(Object.keys(all), files);
  });

  for (const [name, messages] of Object.entries(all)) {
    it(`${name} says everything that English says`, () => {
      assert.deepEqual(Object.keys(messages).sort(), Object.keys(textsFrom()).sort());
      assert.deepEqual(Object.keys(messages.explanations ?? {}).sort(), REASONS);
      assert.equal(messages.lang, name);
      assert.ok(messages.warningLeft?.includes("{time}"));
    });
  }

  it("tell the own log-out from another device's", () => {
    const by = { device: null, self: false };
    const told = (reason: string, self?: boolean): string => explanationOf(textsFrom(), endFor("A", reason, { message: "the server's", by: self === undefined ? null : { ...by, self } }));
    assert.equal(told("logout"), "You have logged out.");
    assert.equal(told("logout", true), "You have logged out.");
    assert.equal(told("logout_everywhere", true), "You have logged out.");
    assert.equal(told("logout", false), "You ended this session from another device.");
    assert.equal(told("logout_everywhere", false), "You logged out everywhere from another device.");
    assert.equal(told("logout_everywhere"), "You logged out everywhere from another device.");
    assert.equal(explanationOf(textsFrom(de), endFor("A", "logout_everywhere", { by })), "Sie haben sich von einem anderen Gerät aus überall abgemeldet.");
    assert.equal(told("displaced", false), "the server's");
  });

  it("have nothing for a reason that is the name of something else", () => {
    for (const reason of ["constructor", "__proto__", "toString"]) assert.equal(explanationOf(textsFrom(), endFor("A", reason, { message: "m" })), "m");
  });

  it("give way to own texts, one by one", () => {
    const texts = textsFrom(de, { stay: "Weiter", titles: { idle: "Zu lange weg" } });
    assert.equal(texts.stay, "Weiter");
    assert.equal(texts.leave, "Jetzt abmelden");
    assert.deepEqual(texts.titles, { other: "Ihre Sitzung ist beendet", idle: "Zu lange weg" });
  });
});

describe("times", () => {
  it("count down to zero and not beyond", () => {
    assert.deepEqual([120_000, 61_001, 59_000, 1, 0].map((ms) => clockFace(ms, "en")), ["2:00", "1:02", "0:59", "0:01", "0:00"]);
  });

  it("are spoken in words", () => {
    assert.equal(spokenTime(60_000, "en"), "1 minute");
    assert.equal(spokenTime(40_000, "de"), "40 Sekunden");
  });

  it("survive a language tag that is none, and a date that is none", () => {
    const { lang } = textsFrom({ lang: "no such" });
    assert.equal(clockFace(1_000, lang), "0:01");
    assert.equal(timeOf("yesterday", lang), "yesterday");
    assert.match(timeOf("2026-11-21T08:30:00Z", lang), /Nov 21, 2026/);
  });

  it("know a language by the name that an operating system gives it", () => {
    assert.deepEqual(["de_DE", "de_DE.UTF-8", "sr_RS@latin", "de-at", "no such", ""].map(tagOf), ["de-DE", "de-DE", "sr-RS", "de-AT", "en", "en"]);
    const { lang } = textsFrom({ lang: "de_DE" }, { stay: "Weiter" });
    assert.equal(timeOf("2026-11-21T08:30:00Z", lang).slice(0, 10), "21.11.2026");
    assert.equal(spokenTime(40_000, lang), "40 Sekunden");
  });
});
