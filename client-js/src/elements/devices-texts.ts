/** The words of `<session-guard-devices>`: `{n}` stands for a number, `{name}` for a device. */

import type { Language } from "./row-texts.ts";

export interface DevicesTexts {
  readonly title: string;
  readonly current: string;
  readonly end: string;
  readonly endOthers: string;
  readonly more: string;
  readonly ended: string;
  readonly failed: string;
}

export const DEVICES: Record<Language, DevicesTexts> = {
  en: {
    title: "Your devices",
    current: "This device",
    end: "Log out",
    endOthers: "Log out all other devices",
    more: "And {n} more.",
    ended: "Logged out: {name}",
    failed: "That did not work. Try again.",
  },
  de: {
    title: "Ihre Geräte",
    current: "Dieses Gerät",
    end: "Abmelden",
    endOthers: "Alle anderen Geräte abmelden",
    more: "Und {n} weitere.",
    ended: "Abgemeldet: {name}",
    failed: "Das hat nicht geklappt. Bitte versuchen Sie es noch einmal.",
  },
  fr: {
    title: "Vos appareils",
    current: "Cet appareil",
    end: "Déconnecter",
    endOthers: "Déconnecter tous les autres appareils",
    more: "Et {n} de plus.",
    ended: "Déconnecté : {name}",
    failed: "Cela n’a pas fonctionné. Veuillez réessayer.",
  },
  es: {
    title: "Sus dispositivos",
    current: "Este dispositivo",
    end: "Cerrar sesión",
    endOthers: "Cerrar sesión en todos los demás dispositivos",
    more: "Y {n} más.",
    ended: "Sesión cerrada: {name}",
    failed: "No ha funcionado. Inténtelo de nuevo.",
  },
  it: {
    title: "I tuoi dispositivi",
    current: "Questo dispositivo",
    end: "Disconnetti",
    endOthers: "Disconnetti tutti gli altri dispositivi",
    more: "E altri {n}.",
    ended: "Disconnesso: {name}",
    failed: "Non ha funzionato. Riprova.",
  },
  pl: {
    title: "Twoje urządzenia",
    current: "To urządzenie",
    end: "Wyloguj",
    endOthers: "Wyloguj wszystkie inne urządzenia",
    more: "I jeszcze {n}.",
    ended: "Wylogowano: {name}",
    failed: "Nie udało się. Spróbuj ponownie.",
  },
  pt: {
    title: "Os seus dispositivos",
    current: "Este dispositivo",
    end: "Terminar sessão",
    endOthers: "Terminar sessão em todos os outros dispositivos",
    more: "E mais {n}.",
    ended: "Sessão terminada: {name}",
    failed: "Não funcionou. Tente novamente.",
  },
  ar: {
    title: "أجهزتك",
    current: "هذا الجهاز",
    end: "تسجيل الخروج",
    endOthers: "تسجيل الخروج من جميع الأجهزة الأخرى",
    more: "و{n} أخرى.",
    ended: "تم تسجيل الخروج: {name}",
    failed: "لم ينجح ذلك. حاول مرة أخرى.",
  },
};
