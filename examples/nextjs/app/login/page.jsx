import { logIn } from "../../lib/actions.js";

export default async function Login({ searchParams }) {
  const { wrong } = await searchParams;
  return (
    <main>
      <h1>Log in</h1>
      {wrong !== undefined && <p className="message problem" role="alert">The name or the password is wrong.</p>}
      <form className="card" action={logIn}>
        <label>User name <input name="user" required autoFocus autoComplete="username" autoCapitalize="none" /></label>
        <label>Password <input name="password" type="password" required autoComplete="current-password" /></label>
        <button>Log in</button>
      </form>
      <p className="hint">Try <b>alice</b> with <b>alice-demo</b>, or <b>bob</b> with <b>bob-demo</b>.</p>
    </main>
  );
}
