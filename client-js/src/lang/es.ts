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
    logout_other: "Ha cerrado esta sesión desde otro dispositivo.",
    logout_everywhere: "Ha cerrado todas sus sesiones desde otro dispositivo.",
    password_changed: "Se ha cambiado su contraseña. Vuelva a entrar.",
    security: "Para proteger su cuenta, tiene que volver a entrar.",
    replaced: "Ha vuelto a entrar en este navegador.",
    admin: "Un administrador ha cerrado su sesión.",
    lost: "Su sesión ya no es válida.",
    idp_logout: "Ha cerrado la sesión en su proveedor de identidad.",
    caep: "Su cuenta ha cambiado en su proveedor de identidad. Vuelva a iniciar sesión.",
  },
  when: "Cuándo",
  device: "Nuevo acceso",
  logInAgain: "Volver a entrar",
  goOn: "Continuar",
  unreachableTitle: "Sin conexión",
  unreachable: "Esta página permanece oculta hasta que el servidor confirme que su sesión sigue abierta. Volverá por sí sola.",
  warningTitle: "¿Sigue ahí?",
  warningIdle: "No ha habido actividad durante un rato. Siga conectado; si no, la sesión se cerrará por su seguridad.",
  warningAbsolute: "Su sesión terminará pronto. Guarde su trabajo y vuelva a entrar.",
  warningLeft: "La sesión se cerrará en {time}.",
  stay: "Seguir conectado",
  dismiss: "Aceptar",
  leave: "Cerrar sesión ahora",
  stayFailed: "No ha funcionado. Inténtelo de nuevo.",
  report: "No he sido yo",
  reported: "Comunicado. Gracias.",
};

export default messages;
