/** When to try again: exponential with full jitter, so that a restarted server is not met by all pages at once. Pure. */

/** Ceiling of the first wait in ms; it doubles with every failure. */
export const FIRST_WAIT = 1_000;
/** Ceiling of every wait in ms. */
export const LONGEST_WAIT = 30_000;
/** Floor of every wait in ms. */
export const SHORTEST_WAIT = 100;

/**
 * @param failures attempts that failed in a row before this wait, 0 or more
 * @param random evenly distributed in [0, 1)
 * @param floor ms that the server asked to stay away, on top of which the jitter comes
 */
export function waitBefore(failures: number, random: number, floor = 0): number {
  const ceiling = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures);
  return floor + Math.max(SHORTEST_WAIT, Math.round(random * ceiling));
}
