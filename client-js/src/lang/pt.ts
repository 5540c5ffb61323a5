/** Portuguese. */

import type { Messages } from "../types.ts";

const messages: Messages = {
  lang: "pt",
  titles: {
    other: "A sua sessão terminou",
  },
  explanations: {
    displaced: "A sessão foi encerrada porque houve um novo acesso noutro lugar.",
    idle: "A sessão foi encerrada por inatividade.",
    absolute: "A sessão atingiu a duração máxima.",
    logout: "A sessão foi encerrada a seu pedido.",
    logout_other: "Encerrou esta sessão a partir de outro dispositivo.",
    logout_everywhere: "Saiu de todas as sessões a partir de outro dispositivo.",
    password_changed: "A sua palavra-passe foi alterada. Entre de novo.",
    security: "Para proteger a sua conta, tem de entrar de novo.",
    replaced: "Entrou de novo neste navegador.",
    admin: "Um administrador encerrou a sua sessão.",
    lost: "A sua sessão já não é válida.",
    idp_logout: "Terminou a sessão no seu fornecedor de identidade.",
    caep: "A sua conta mudou no fornecedor de identidade. Inicie sessão novamente.",
  },
  when: "Quando",
  device: "Novo acesso",
  logInAgain: "Entrar de novo",
  goOn: "Continuar",
  unreachableTitle: "Sem ligação",
  unreachable: "Esta página fica oculta até o servidor confirmar que a sua sessão continua aberta. Ela volta sozinha.",
  warningTitle: "Ainda está aí?",
  warningIdle: "Não houve atividade durante algum tempo. Continue ligado; caso contrário, a sessão será encerrada por segurança.",
  warningAbsolute: "A sua sessão termina em breve. Guarde o trabalho e entre de novo.",
  warningLeft: "A sessão será encerrada em {time}.",
  stay: "Continuar ligado",
  dismiss: "OK",
  leave: "Sair agora",
  stayFailed: "Não funcionou. Tente novamente.",
  report: "Não fui eu",
  reported: "Comunicado. Obrigado.",
};

export default messages;
