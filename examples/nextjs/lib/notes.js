/** What is written down. Nothing of it is read or written without a live session. */

import "server-only";
import { redirect } from "next/navigation";
import { current } from "./session.js";

const notes = (globalThis.notes ??= new Map()); // Next bundles this file more than once

/** Who asks; who has no live session is led away. */
export async function reader() {
  return (await current()) ?? redirect("/login");
}

export async function readNotes() {
  const { room } = await reader();
  return notes.get(room) ?? [];
}

export async function addNote(text) {
  const { room } = await reader();
  notes.set(room, [text, ...(notes.get(room) ?? [])]);
}
