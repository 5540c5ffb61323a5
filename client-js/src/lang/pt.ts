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
    admin: "Um administrador encerrou a sua sessão.",
    lost: "A sua sessão já não é válida.",
  },
  when: "Quando",
  device: "Novo acesso",
  logInAgain: "Entrar de novo",
  unreachableTitle: "Sem ligação",
  unreachable: "Esta página fica oculta até o servidor confirmar que a sua sessão continua aberta. Ela volta sozinha.",
  warningTitle: "Ainda está aí?",
  warningIdle: "Não houve atividade. Por segurança, a sessão será encerrada em breve.",
  warningAbsolute: "A sua sessão termina em breve. Guarde o trabalho e entre de novo.",
  warningLeft: "A sessão será encerrada em {time}.",
  stay: "Continuar ligado",
  dismiss: "OK",
  leave: "Sair agora",
  stayFailed: "Não funcionou. Tente novamente.",
};

export default messages;
