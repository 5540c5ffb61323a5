"use client";

/** Enforcer does not answer: nobody gets in, nobody is logged out. */
export default function Unavailable() {
  return (
    <main>
      <h1>One moment</h1>
      <p>We cannot check your session at the moment. You are still logged in; please try again.</p>
      <button onClick={() => location.reload()}>Try again</button>
    </main>
  );
}
