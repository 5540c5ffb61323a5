/** Italian. */

import type { Messages } from "../types.ts";

const messages: Messages = {
  lang: "it",
  titles: {
    other: "La sessione è terminata",
  },
  explanations: {
    displaced: "La sessione è stata chiusa perché è stato effettuato un altro accesso.",
    idle: "La sessione è stata chiusa per inattività.",
    absolute: "La sessione ha raggiunto la durata massima.",
    logout: "La disconnessione è avvenuta.",
    logout_other: "Hai chiuso questa sessione da un altro dispositivo.",
    logout_everywhere: "Ti sei disconnesso ovunque da un altro dispositivo.",
    password_changed: "La password è stata cambiata. Accedi di nuovo.",
    security: "Per proteggere il tuo account devi accedere di nuovo.",
    replaced: "Hai effettuato di nuovo l’accesso in questo browser.",
    admin: "Un amministratore ha chiuso la sessione.",
    lost: "La sessione non è più valida.",
    idp_logout: "Ha effettuato la disconnessione dal suo provider di identità.",
    caep: "Il suo account è cambiato presso il provider di identità. Acceda di nuovo.",
  },
  when: "Quando",
  device: "Nuovo accesso",
  logInAgain: "Accedi di nuovo",
  goOn: "Continua",
  unreachableTitle: "Nessuna connessione",
  unreachable: "Questa pagina resta nascosta finché il server non conferma che l’accesso è ancora valido. Tornerà da sola.",
  warningTitle: "Ci sei ancora?",
  warningIdle: "Non c’è stata attività per un po’. Resta connesso, altrimenti la sessione verrà chiusa per sicurezza.",
  warningAbsolute: "La sessione sta per terminare. Salva il lavoro e accedi di nuovo.",
  warningLeft: "La sessione verrà chiusa tra {time}.",
  stay: "Resta connesso",
  dismiss: "OK",
  leave: "Esci ora",
  stayFailed: "Non ha funzionato. Riprova.",
  report: "Non l’ho fatto io",
  reported: "Segnalato. Grazie.",
};

export default messages;
