/** French. */

import type { Messages } from "../types.ts";

const messages: Messages = {
  lang: "fr",
  titles: {
    other: "Votre session est terminée",
  },
  explanations: {
    displaced: "Vous avez été déconnecté, car vous vous êtes connecté ailleurs.",
    idle: "Vous avez été déconnecté après une période d’inactivité.",
    absolute: "Votre session a atteint sa durée maximale.",
    logout: "Vous vous êtes déconnecté.",
    logout_other: "Vous avez mis fin à cette session depuis un autre appareil.",
    logout_everywhere: "Vous vous êtes déconnecté partout depuis un autre appareil.",
    password_changed: "Votre mot de passe a été modifié. Veuillez vous reconnecter.",
    security: "Pour protéger votre compte, vous devez vous reconnecter.",
    replaced: "Vous vous êtes reconnecté dans ce navigateur.",
    admin: "Un administrateur a mis fin à votre session.",
    lost: "Votre session n’est plus valable.",
    idp_logout: "Vous vous êtes déconnecté de votre fournisseur d’identité.",
    caep: "Votre compte a changé chez votre fournisseur d’identité. Veuillez vous reconnecter.",
  },
  when: "Date",
  device: "Nouvelle connexion",
  logInAgain: "Se reconnecter",
  goOn: "Continuer",
  unreachableTitle: "Pas de connexion",
  unreachable: "Cette page reste masquée jusqu’à ce que le serveur confirme que vous êtes encore connecté. Elle reviendra d’elle-même.",
  warningTitle: "Êtes-vous toujours là ?",
  warningIdle: "Vous avez été inactif un moment. Restez connecté, sinon vous serez déconnecté pour votre sécurité.",
  warningAbsolute: "Votre session se termine bientôt. Enregistrez votre travail, puis reconnectez-vous.",
  warningLeft: "Déconnexion dans {time}.",
  stay: "Rester connecté",
  dismiss: "OK",
  leave: "Se déconnecter",
  stayFailed: "Cela n’a pas fonctionné. Veuillez réessayer.",
  report: "Ce n’était pas moi",
  reported: "Signalé. Merci.",
};

export default messages;
