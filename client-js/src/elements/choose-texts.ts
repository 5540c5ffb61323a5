/** The words of `<session-guard-choose>`: `{n}` stands for a number. */

import type { Language } from "./row-texts.ts";

export interface ChooseTexts {
  readonly chooseOne: string;
  readonly chooseMore: string;
  readonly cancel: string;
}

export const CHOOSE: Record<Language, ChooseTexts> = {
  en: {
    chooseOne: "You are logged in on as many devices as you may. Choose the one to log out.",
    chooseMore: "You are logged in on as many devices as you may. Choose {n} to log out.",
    cancel: "Cancel",
  },
  de: {
    chooseOne: "Sie sind auf so vielen Geräten angemeldet wie erlaubt. Wählen Sie das Gerät, das abgemeldet werden soll.",
    chooseMore: "Sie sind auf so vielen Geräten angemeldet wie erlaubt. Wählen Sie {n} Geräte, die abgemeldet werden sollen.",
    cancel: "Abbrechen",
  },
  fr: {
    chooseOne: "Vous êtes connecté sur le nombre maximal d’appareils. Choisissez celui à déconnecter.",
    chooseMore: "Vous êtes connecté sur le nombre maximal d’appareils. Choisissez-en {n} à déconnecter.",
    cancel: "Annuler",
  },
  es: {
    chooseOne: "Ha iniciado sesión en el máximo de dispositivos. Elija en cuál cerrarla.",
    chooseMore: "Ha iniciado sesión en el máximo de dispositivos. Elija {n} en los que cerrarla.",
    cancel: "Cancelar",
  },
  it: {
    chooseOne: "Hai effettuato l’accesso sul numero massimo di dispositivi. Scegli quello da disconnettere.",
    chooseMore: "Hai effettuato l’accesso sul numero massimo di dispositivi. Scegline {n} da disconnettere.",
    cancel: "Annulla",
  },
  pl: {
    chooseOne: "Korzystasz z największej dozwolonej liczby urządzeń. Wybierz to, które ma zostać wylogowane.",
    chooseMore: "Korzystasz z największej dozwolonej liczby urządzeń. Wybierz {n} do wylogowania.",
    cancel: "Anuluj",
  },
  pt: {
    chooseOne: "Tem sessão iniciada no número máximo de dispositivos. Escolha aquele em que a quer terminar.",
    chooseMore: "Tem sessão iniciada no número máximo de dispositivos. Escolha {n} em que a quer terminar.",
    cancel: "Cancelar",
  },
  ar: {
    chooseOne: "لقد سجّلت الدخول على أكبر عدد مسموح به من الأجهزة. اختر الجهاز الذي تريد تسجيل خروجه.",
    chooseMore: "لقد سجّلت الدخول على أكبر عدد مسموح به من الأجهزة. اختر {n} لتسجيل خروجها.",
    cancel: "إلغاء",
  },
};
