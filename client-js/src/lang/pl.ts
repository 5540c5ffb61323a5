/** Polish. */

import type { Messages } from "../types.ts";

const messages: Messages = {
  lang: "pl",
  titles: {
    other: "Twoja sesja została zakończona",
  },
  explanations: {
    displaced: "Nastąpiło wylogowanie, ponieważ zalogowano się w innym miejscu.",
    idle: "Nastąpiło wylogowanie z powodu braku aktywności.",
    absolute: "Sesja osiągnęła najdłuższy dozwolony czas.",
    logout: "Nastąpiło wylogowanie.",
    logout_other: "Ta sesja została zakończona przez Ciebie z innego urządzenia.",
    logout_everywhere: "Wylogowano Cię wszędzie na Twoje polecenie z innego urządzenia.",
    password_changed: "Hasło zostało zmienione. Zaloguj się ponownie.",
    security: "Aby chronić konto, trzeba zalogować się ponownie.",
    replaced: "W tej przeglądarce nastąpiło ponowne zalogowanie.",
    admin: "Administrator zakończył sesję.",
    lost: "Sesja nie jest już ważna.",
    idp_logout: "Wylogowano się u dostawcy tożsamości.",
    caep: "Konto u dostawcy tożsamości uległo zmianie. Proszę zalogować się ponownie.",
  },
  when: "Kiedy",
  device: "Nowe logowanie",
  logInAgain: "Zaloguj się ponownie",
  goOn: "Dalej",
  unreachableTitle: "Brak połączenia",
  unreachable: "Ta strona jest ukryta, dopóki serwer nie potwierdzi, że sesja nadal trwa. Wróci sama.",
  warningTitle: "Czy nadal tu jesteś?",
  warningIdle: "Przez jakiś czas nie było aktywności. Pozostań zalogowany, inaczej ze względów bezpieczeństwa nastąpi wylogowanie.",
  warningAbsolute: "Sesja wkrótce się skończy. Zapisz pracę i zaloguj się ponownie.",
  warningLeft: "Czas do wylogowania: {time}.",
  stay: "Pozostań zalogowany",
  dismiss: "OK",
  leave: "Wyloguj teraz",
  stayFailed: "Nie udało się. Spróbuj ponownie.",
  report: "To nie ja",
  reported: "Zgłoszono. Dziękujemy.",
};

export default messages;
