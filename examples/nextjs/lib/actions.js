"use server";

import { redirect } from "next/navigation";
import { refresh } from "next/cache";
import { addNote } from "./notes.js";
import { login, logout } from "./session.js";
import { isRight } from "./users.js";

export async function logIn(form) {
  const [user, password] = [String(form.get("user")), String(form.get("password"))];
  if (!isRight(user, password)) redirect("/login?wrong");
  await login(user);
  redirect("/");
}

export async function logOut(form) {
  await logout(String(form.get("session")));
  redirect("/login");
}

export async function write(form) {
  await addNote(String(form.get("text")).slice(0, 200));
  refresh();
}
