/** Spanish. */

import type { Messages } from "../types.ts";

const messages: Messages = {
  lang: "es",
  titles: {
    other: "Su sesión ha terminado",
  },
  explanations: {
    displaced: "Se ha cerrado su sesión porque ha entrado desde otro lugar.",
    idle: "Se ha cerrado su sesión por inactividad.",
    absolute: "Su sesión ha alcanzado la duración máxima.",
    logout: "Ha cerrado la sesión.",
    admin: "Un administrador ha cerrado su sesión.",
    lost: "Su sesión ya no es válida.",
  },
  when: "Cuándo",
  device: "Nuevo acceso",
  logInAgain: "Volver a entrar",
  unreachableTitle: "Sin conexión",
  unreachable: "Esta página permanece oculta hasta que el servidor confirme que su sesión sigue abierta. Volverá por sí sola.",
  warningTitle: "¿Sigue ahí?",
  warningIdle: "No ha habido actividad. Por su seguridad, la sesión se cerrará pronto.",
  warningAbsolute: "Su sesión terminará pronto. Guarde su trabajo y vuelva a entrar.",
  warningLeft: "La sesión se cerrará en {time}.",
  stay: "Seguir conectado",
  dismiss: "Aceptar",
  leave: "Cerrar sesión ahora",
  stayFailed: "No ha funcionado. Inténtelo de nuevo.",
};

export default messages;
