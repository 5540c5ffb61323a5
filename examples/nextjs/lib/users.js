/** Two users. Yours are in a database. */

import "server-only";
import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto";

const SALT = randomBytes(16);
const hashed = (password) => scryptSync(password, SALT, 32);
const USERS = new Map(["alice", "bob"].map((name) => [name, hashed(`${name}-demo`)]));
const NOBODY = hashed(randomBytes(16));

export function isRight(name, password) {
  return timingSafeEqual(hashed(password), USERS.get(name) ?? NOBODY);
}
