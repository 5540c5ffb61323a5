/*! session-guard 0.1.0 | MIT */
var t=new Map;onmessage=({data:[e,a]})=>{clearTimeout(t.get(e)),t.delete(e),a!==void 0&&t.set(e,setTimeout(()=>{t.delete(e),postMessage(e)},a))};
