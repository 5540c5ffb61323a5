/** Runs in a worker: timers that a hidden page's throttling does not slow down. `[id, ms]` starts one, `[id]` ends it. */

const timers = new Map<number, ReturnType<typeof setTimeout>>();

onmessage = ({ data: [id, ms] }: MessageEvent<[id: number, ms?: number]>) => {
  clearTimeout(timers.get(id));
  timers.delete(id);
  if (ms !== undefined) {
    timers.set(
      id,
      setTimeout(() => {
        timers.delete(id);
        postMessage(id);
      }, ms),
    );
  }
};
