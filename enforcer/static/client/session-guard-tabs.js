/*! session-guard 0.1.0 | MIT */
function g(e,s,t){let n=e+"/message",a=({key:e,newValue:s})=>{e===n&&s!==null&&r.onmessage?.({data:JSON.parse(s)})};t.addEventListener("storage",a);let r={onmessage:null,postMessage(e){s.set(n,JSON.stringify(e)),s.remove(n)},close(){t.removeEventListener("storage",a)}};return r}export{g as storageChannel};
