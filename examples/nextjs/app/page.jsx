import { logOut, write } from "../lib/actions.js";
import { reader, readNotes } from "../lib/notes.js";
import { Guard, Status } from "./guard.jsx";

export default async function Home() {
  const { session, room: user, ticket } = await reader();
  const notes = await readNotes(); // asks again who it is, and that costs nothing: one request is one check
  return (
    <Guard key={session} url={process.env.ENFORCER_URL} ticket={ticket}>
      <header>
        <p className="name">Notebook</p>
        <Status />
        <form action={logOut}>
          <input type="hidden" name="session" value={session} />
          <button>Log out</button>
        </form>
      </header>
      <main>
        <h1>{`Hello, ${user}`}</h1>
        <p>{`This notebook is yours alone. Log in as ${user} in another browser, and this page leaves at once.`}</p>
        <form className="card" action={write}>
          <label>A new note <input name="text" required maxLength={200} /></label>
          <button>Write it down</button>
        </form>
        <ul>{notes.map((note, n) => <li key={notes.length - n}>{note}</li>)}</ul>
      </main>
    </Guard>
  );
}
