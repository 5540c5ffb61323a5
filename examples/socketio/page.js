// A page that hears that its user's login is over: `join: "open"`, and nothing but socket.io-client.
"use strict";
(() => {
  const { room, enforcer, logout } = document.currentScript.dataset;
  const kept = `enforcer:${room}`; // where this browser keeps its session's id, for all its tabs and after a reload

  // `auth` is asked at each connection, so a reconnect comes as who it was, too.
  const auth = (send) => send({ room, session: localStorage.getItem(kept) ?? undefined });
  const socket = io(enforcer, { auth, transports: ["websocket"] });

  socket.on("session", (told) => localStorage.setItem(kept, told.session));

  socket.on("force-logout", (end, acknowledge) => {
    acknowledge(); // else it is repeated, and the log says that nobody knows
    leave(end);
  });

  // It was away when its session ended, and is refused when it comes back.
  socket.on("connect_error", (error) => {
    if (error.message === "session-ended") leave(error.data);
    if (error.message === "session-unknown") leave({ session: localStorage.getItem(kept), reason: "lost" });
  });

  function leave(end) {
    socket.disconnect();
    if (localStorage.getItem(kept) === end.session) localStorage.removeItem(kept); // the next login is a new session
    location.assign(`${logout}?reason=${encodeURIComponent(end.reason)}`);
  }
})();
