/** German. */

import type { Messages } from "../types.ts";

const messages: Messages = {
  lang: "de",
  titles: {
    other: "Ihre Sitzung ist beendet",
  },
  explanations: {
    displaced: "Sie wurden abgemeldet, weil Sie sich an anderer Stelle angemeldet haben.",
    idle: "Sie wurden abgemeldet, weil Sie längere Zeit nicht aktiv waren.",
    absolute: "Ihre Sitzung hat die längste erlaubte Dauer erreicht.",
    logout: "Sie haben sich abgemeldet.",
    logout_other: "Sie haben diese Sitzung von einem anderen Gerät aus beendet.",
    logout_everywhere: "Sie haben sich von einem anderen Gerät aus überall abgemeldet.",
    password_changed: "Ihr Passwort wurde geändert. Bitte melden Sie sich neu an.",
    security: "Zum Schutz Ihres Kontos müssen Sie sich neu anmelden.",
    replaced: "Sie haben sich in diesem Browser neu angemeldet.",
    admin: "Die Verwaltung hat Ihre Sitzung beendet.",
    lost: "Ihre Sitzung ist nicht mehr gültig.",
    idp_logout: "Sie haben sich bei Ihrem Anmeldedienst abgemeldet.",
    caep: "Ihr Konto beim Anmeldedienst hat sich geändert. Bitte melden Sie sich neu an.",
  },
  when: "Wann",
  device: "Neuere Anmeldung",
  logInAgain: "Erneut anmelden",
  goOn: "Weiter",
  unreachableTitle: "Keine Verbindung",
  unreachable: "Diese Seite bleibt verborgen, bis der Server bestätigt, dass Sie noch angemeldet sind. Sie erscheint dann von selbst.",
  warningTitle: "Sind Sie noch da?",
  warningIdle: "Sie waren eine Weile nicht aktiv. Bleiben Sie angemeldet, sonst werden Sie zu Ihrer Sicherheit abgemeldet.",
  warningAbsolute: "Ihre Sitzung endet bald. Speichern Sie Ihre Arbeit und melden Sie sich neu an.",
  warningLeft: "Sie werden abgemeldet in: {time}.",
  stay: "Angemeldet bleiben",
  dismiss: "OK",
  leave: "Jetzt abmelden",
  stayFailed: "Das hat nicht geklappt. Bitte versuchen Sie es noch einmal.",
  report: "Das war ich nicht",
  reported: "Gemeldet. Vielen Dank.",
};

export default messages;
