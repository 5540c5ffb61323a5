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
    logout_other: "لقد أنهيت هذه الجلسة من جهاز آخر.",
    logout_everywhere: "لقد سجلت الخروج من كل الأجهزة من جهاز آخر.",
    password_changed: "تم تغيير كلمة المرور. سجّل الدخول من جديد.",
    security: "لحماية حسابك عليك تسجيل الدخول من جديد.",
    replaced: "لقد سجلت الدخول من جديد في هذا المتصفح.",
    admin: "أنهى أحد المسؤولين جلستك.",
    lost: "لم تعد جلستك صالحة.",
  },
  when: "الوقت",
  device: "تسجيل دخول أحدث",
  logInAgain: "تسجيل الدخول مجددًا",
  goOn: "متابعة",
  unreachableTitle: "لا يوجد اتصال",
  unreachable: "ستبقى هذه الصفحة مخفية حتى يؤكد الخادم أن جلستك ما زالت قائمة، ثم تعود تلقائيًا.",
  warningTitle: "هل ما زلت هنا؟",
  warningIdle: "لم يكن هناك أي نشاط منذ فترة. ابقَ متصلًا، وإلا فسيتم تسجيل خروجك حفاظًا على أمانك.",
  warningAbsolute: "ستنتهي جلستك قريبًا. احفظ عملك ثم سجّل الدخول من جديد.",
  warningLeft: "سيتم تسجيل خروجك خلال {time}.",
  stay: "البقاء متصلًا",
  dismiss: "حسنًا",
  leave: "تسجيل الخروج الآن",
  stayFailed: "لم ينجح ذلك. حاول مرة أخرى.",
  report: "لم أكن أنا",
  reported: "تم الإبلاغ. شكرًا لك.",
};

export default messages;
