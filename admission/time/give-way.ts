/**
 * Lets everything else that is ready have its turn, requests above all; resolves after that. No time passes by it: whoever has
 * much to do at once calls it every few milliseconds.
 */
export const giveWay = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
