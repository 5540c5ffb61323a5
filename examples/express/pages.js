/** The pages. What is put into them is escaped. */

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** A template whose values are texts. */
function html(parts, ...values) {
  return String.raw({ raw: parts }, ...values.map((value) => (value?.html ?? String(value).replace(/[&<>"']/g, (c) => ENTITIES[c]))));
}

function layout(title, head, body) {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title} · Notebook</title>
    <link rel="stylesheet" href="/site.css">
    ${{ html: head }}
  </head>
  <body>
    <main>
      <h1>${title}</h1>
      ${{ html: body }}
    </main>
  </body>
</html>`;
}

export function loginPage(wrong) {
  const problem = wrong ? html`<p role="alert">The name or the password is wrong.</p>` : "";
  return layout("Log in", "", problem + html`<form method="post">
        <label>User name <input name="user" required autofocus autocomplete="username" autocapitalize="none"></label>
        <label>Password <input name="password" type="password" required autocomplete="current-password"></label>
        <button>Log in</button>
      </form>
      <p>Try <b>alice</b> with <b>alice-demo</b>, or <b>bob</b> with <b>bob-demo</b>.</p>`);
}

/** A private page; the script line is what ends it the moment its session has ended. */
export function homePage(enforcer, user, { session, ticket }) {
  const guard = html`<script src="${enforcer}/client/session-guard.js" defer data-ticket="${ticket}" data-logout-url="/logout" data-login-url="/login"></script>`;
  return layout(`Hello, ${user}`, guard, html`<p>This page is yours alone. Log in as ${user} in another browser, and it leaves at once.</p>
      <form method="post" action="/logout">
        <input type="hidden" name="session" value="${session}">
        <button>Log out</button>
      </form>`);
}

export function goodbyePage() {
  return layout("Goodbye", "", html`<p>Your session is over. <a href="/login">Log in again</a></p>`);
}
