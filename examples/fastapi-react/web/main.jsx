/** The pages: `/login`, and `/` for who has a live session. */

import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { SessionGuardProvider, useSessionGuard } from "session-guard/react";

/** A call of our own server. One that refuses because nobody is logged in, or no more, leads to the log-in page. */
async function call(path, body) {
  const sent = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, sent);
  if (answer.ok) return answer.json();
  if (answer.status === 401 && location.pathname !== "/login") location.assign("/login");
  throw new Error((await answer.json()).detail);
}

function Login() {
  const [problem, setProblem] = useState("");
  const submit = (event) => {
    event.preventDefault();
    call("/api/login", Object.fromEntries(new FormData(event.target))).then(
      () => location.assign("/"),
      (error) => setProblem(error.message),
    );
  };
  return (
    <main>
      <h1>Log in</h1>
      {problem && <p className="message problem" role="alert">Sorry, {problem}.</p>}
      <form className="card" onSubmit={submit}>
        <label>User name <input name="user" required autoFocus autoComplete="username" autoCapitalize="none" /></label>
        <label>Password <input name="password" type="password" required autoComplete="current-password" /></label>
        <button>Log in</button>
      </form>
      <p className="hint">Try <b>alice</b> with <b>alice-demo</b>, or <b>bob</b> with <b>bob-demo</b>.</p>
    </main>
  );
}

/** Asks who is logged in, and guards what is shown for as long as the session lives. */
function Home() {
  const [me, setMe] = useState();
  useEffect(() => void call("/api/me").then(setMe), []);
  if (!me) return null;
  const options = { url: me.enforcer, ticket: me.ticket, logoutUrl: "/api/logout", loginUrl: "/login" };
  return <SessionGuardProvider key={me.session} options={options}><Notebook user={me.user} /></SessionGuardProvider>;
}

function Notebook({ user }) {
  const { state, logout } = useSessionGuard();
  const [notes, setNotes] = useState([]);
  useEffect(() => void call("/api/notes").then(setNotes), []);
  const write = (event) => {
    event.preventDefault();
    call("/api/notes", { text: new FormData(event.target).get("text") }).then(setNotes);
    event.target.reset();
  };
  return (
    <>
      <header>
        <p className="name">Notebook</p>
        <span role="status">{state.connected ? "live" : state.phase}</span>
        <button onClick={() => logout()}>Log out</button>
        <button onClick={() => logout({ everywhere: true })}>Log out everywhere</button>
      </header>
      <main>
        <h1>Hello, {user}</h1>
        <p>This notebook is yours alone. Log in as {user} in another browser, and this page leaves at once.</p>
        <form className="card" onSubmit={write}>
          <label>A new note <input name="text" required maxLength={200} /></label>
          <button>Write it down</button>
        </form>
        <ul>{notes.map((note, n) => <li key={notes.length - n}>{note}</li>)}</ul>
      </main>
    </>
  );
}

createRoot(document.body).render(<StrictMode>{location.pathname === "/login" ? <Login /> : <Home />}</StrictMode>);
