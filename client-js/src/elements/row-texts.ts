/** What a row of a list of devices tells, in every language that the guard speaks. */

/** The words of a row. `{time}` stands for date and time. */
export interface RowTexts {
  readonly unknown: string;
  readonly support: string;
  readonly online: string;
  readonly seen: string;
  readonly since: string;
}

export const ROWS = {
  en: {
    unknown: "Unknown device",
    support: "Support",
    online: "Online now",
    seen: "Last seen {time}",
    since: "Logged in {time}",
  },
  de: {
    unknown: "Unbekanntes Gerät",
    support: "Support",
    online: "Gerade online",
    seen: "Zuletzt aktiv {time}",
    since: "Angemeldet seit {time}",
  },
  fr: {
    unknown: "Appareil inconnu",
    support: "Assistance",
    online: "En ligne",
    seen: "Vu le {time}",
    since: "Connecté depuis le {time}",
  },
  es: {
    unknown: "Dispositivo desconocido",
    support: "Soporte",
    online: "En línea ahora",
    seen: "Visto el {time}",
    since: "Sesión iniciada el {time}",
  },
  it: {
    unknown: "Dispositivo sconosciuto",
    support: "Assistenza",
    online: "Online ora",
    seen: "Visto il {time}",
    since: "Accesso dal {time}",
  },
  pl: {
    unknown: "Nieznane urządzenie",
    support: "Pomoc techniczna",
    online: "Teraz online",
    seen: "Ostatnio: {time}",
    since: "Zalogowano: {time}",
  },
  pt: {
    unknown: "Dispositivo desconhecido",
    support: "Suporte",
    online: "Online agora",
    seen: "Visto em {time}",
    since: "Sessão desde {time}",
  },
  ar: {
    unknown: "جهاز غير معروف",
    support: "الدعم",
    online: "متصل الآن",
    seen: "آخر ظهور {time}",
    since: "مسجّل الدخول منذ {time}",
  },
} satisfies Record<string, RowTexts>;

export type Language = keyof typeof ROWS;
