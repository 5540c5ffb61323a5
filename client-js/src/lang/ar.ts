/** Arabic. */

import type { Messages } from "../types.ts";

const messages: Messages = {
  lang: "ar",
  titles: {
    other: "انتهت جلستك",
  },
  explanations: {
    displaced: "تم تسجيل خروجك لأنك سجلت الدخول من مكان آخر.",
    idle: "تم تسجيل خروجك بسبب عدم النشاط.",
    absolute: "بلغت جلستك أقصى مدة مسموح بها.",
    logout: "لقد سجلت الخروج.",
    admin: "أنهى أحد المسؤولين جلستك.",
    lost: "لم تعد جلستك صالحة.",
  },
  when: "الوقت",
  device: "تسجيل دخول أحدث",
  logInAgain: "تسجيل الدخول مجددًا",
  unreachableTitle: "لا يوجد اتصال",
  unreachable: "ستبقى هذه الصفحة مخفية حتى يؤكد الخادم أن جلستك ما زالت قائمة، ثم تعود تلقائيًا.",
  warningTitle: "هل ما زلت هنا؟",
  warningIdle: "لم يكن هناك أي نشاط. حفاظًا على أمانك سيتم تسجيل خروجك قريبًا.",
  warningAbsolute: "ستنتهي جلستك قريبًا. احفظ عملك ثم سجّل الدخول من جديد.",
  warningLeft: "سيتم تسجيل خروجك خلال {time}.",
  stay: "البقاء متصلًا",
  dismiss: "حسنًا",
  leave: "تسجيل الخروج الآن",
  stayFailed: "لم ينجح ذلك. حاول مرة أخرى.",
};

export default messages;
